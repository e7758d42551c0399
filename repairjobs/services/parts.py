"""Parts that repairs need."""

from datetime import datetime

from common.db.transactions import atomic_with_retry
from repairjobs.models import Job, Part
from repairjobs.services.workflow import JobEvent, advance


class UnknownPart(Exception):
    """The job has no such part."""


@atomic_with_retry(using="repairjobs")
def add_part(*, job_id: int, part_number: str, name: str, quantity: int, at: datetime) -> Part:
    """Add a part that the repair needs.

    :raises UnknownJob:
    """
    job = Job.objects.locked(job_id)
    part = Part.objects.create(job=job, part_number=part_number, name=name, quantity=quantity)
    advance(job, JobEvent.PART_CHANGED, at=at)
    return part


@atomic_with_retry(using="repairjobs")
def move_part(*, job_id: int, part_id: int, status: str, at: datetime) -> Part:
    """Set a part's status.

    :raises UnknownJob:
    :raises UnknownPart:
    """
    job = Job.objects.locked(job_id)
    part = Part.objects.of_job(job_id).with_id(part_id)
    if part is None:
        raise UnknownPart(f"job {job_id} has no part {part_id}")
    if part.status != status:
        part.status = status
        part.save(update_fields=["status"])
        advance(job, JobEvent.PART_CHANGED, at=at)
    return part
