"""A job's document."""

from typing import Any

from repairjobs.models import Job, in_order
from repairjobs.services.attention import unseen_flags


def build_document(job: Job) -> dict[str, Any]:
    """Return the job's document."""
    return {
        "job_id": job.formatted_id,
        "job_date": f"{job.imported_at:%Y-%m-%d}",
        "job_type": job.type,
        "job_status": job.status,
        "customer": [
            {
                "client_firstname": job.firstname,
                "client_lastname": job.lastname,
                "client_postcode": job.postcode,
                "client_mobile": job.mobile,
            }
        ],
        "product": [{"product_id": job.product_id, "product_type": job.product_type}],
        "paid": job.paid_at is not None,
        "parts": [
            {
                "id": part.pk,
                "part_number": part.part_number,
                "name": part.name,
                "quantity": part.quantity,
                "status": part.status,
            }
            for part in in_order(job.parts)
        ],
        "attention": [flag.text for flag in unseen_flags(job)],
    }
