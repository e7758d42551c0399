"""Parts that repairs need."""

from repairjobs.models import (
    Part,
)
from repairjobs.services.jobs import change, locked_job
from repairjobs.transactions import in_transaction


class UnknownPart(Exception):
    """The job has no such part."""


@in_transaction
def add_part(*, job_id: int, part_number: str, name: str, quantity: int) -> Part:
    """Note a part that the repair needs.

    :raises UnknownJob:
    """
    job = locked_job(job_id)
    part = Part.objects.create(job=job, part_number=part_number, name=name, quantity=quantity)
    change(job)
    return part


@in_transaction
def move_part(*, job_id: int, part_id: int, status: str) -> Part:
    """Set how far a part has come.

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
