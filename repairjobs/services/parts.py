"""Parts that repairs need."""

from common.db.transactions import atomic_with_retry
from repairjobs.models import Part
from repairjobs.services.workflow import change, locked_job


class UnknownPart(Exception):
    """The job has no such part."""


@atomic_with_retry(using="repairjobs")
def add_part(*, job_id: int, part_number: str, name: str, quantity: int) -> Part:
    """Add a part that the repair needs.

    :raises UnknownJob:
    """
    job = locked_job(job_id)
    part = Part.objects.create(job=job, part_number=part_number, name=name, quantity=quantity)
    change(job)
    return part


@atomic_with_retry(using="repairjobs")
def move_part(*, job_id: int, part_id: int, status: str) -> Part:
    """Set a part's status.

    :raises UnknownJob:
    :raises UnknownPart:
    """
    job = locked_job(job_id)
    part = job.parts.filter(pk=part_id).first()
    if part is None:
        raise UnknownPart(f"job {job_id} has no part {part_id}")
    if part.status != status:
        part.status = status
        part.save(update_fields=["status"])
        change(job)
    return part
