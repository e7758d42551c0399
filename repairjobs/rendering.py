"""A job as its document shows it, and the words of its SMS."""

from collections.abc import Iterator
from typing import Any

from django.template.loader import render_to_string

from repairjobs.models import RANKS, Errand, Job, JobStatus, Sms, SmsKind, SmsState


def document_of(job: Job) -> dict[str, Any]:
    """The job's document as it is to be stored now."""
    return {
        "job_id": job.spoken_id,
        "job_date": f"{job.collected_at:%Y-%m-%d}",
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
            for part in job.parts.order_by("pk")
        ],
        "attention": list(attention(job)),
    }


def attention(job: Job) -> Iterator[str]:
    """What a person must look at."""
    if job.is_missing:
        yield "the client's row has gone"
    if job.is_held:
        yield "collected when going live: adopt_jobs decides whether to text"
    if job.status not in RANKS:
        yield f"the client's status {job.status!r} is not one we know"
    if job.closed_at and job.status != JobStatus.CLOSED:
        yield f"CLOSED before, and now {job.status} at the client"
    if job.status == JobStatus.CLOSED and job.paid_at is None:
        yield "closed by the client without a payment"
    for sms in job.sms.exclude(kind=SmsKind.INBOUND).order_by("pk"):
        yield from _attention_to(sms)
    for errand in Errand.objects.quarantined().filter(job=job).order_by("pk"):
        yield f"given up for now: {errand.kind} {errand.subject}".strip()


def _attention_to(sms: Sms) -> Iterator[str]:
    if sms.state == SmsState.UNKNOWN:
        yield f"the {sms.kind} SMS may have been sent, or not"
    if sms.state == SmsState.FAILED:
        yield f"the {sms.kind} SMS did not arrive: {sms.reason}"
    if sms.state == SmsState.WITHHELD and sms.needs_attention:
        yield f"the {sms.kind} SMS was not sent: {sms.reason}"


def text_of(kind: SmsKind, job: Job) -> str:
    """The words of an SMS about the job."""
    return render_to_string(f"repairjobs/{kind}.txt", {"job": job}).strip()
