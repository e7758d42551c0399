"""A job while a step changes it: held until then, and shown by its document afterwards."""

from repairjobs.models import (
    Errand,
    ErrandKind,
    Job,
)
from repairjobs.transactions import in_transaction


class UnknownJob(Exception):
    """We never collected that job."""

    def __init__(self, job_id: int) -> None:
        super().__init__(f"job {job_id} is unknown")


def locked_job(job_id: int) -> Job:
    """The job, held until the caller's transaction ends.

    :raises UnknownJob:
    """
    try:
        return Job.objects.locked(job_id)
    except Job.DoesNotExist as error:
        raise UnknownJob(job_id) from error


def change(job: Job, *fields: str) -> None:
    """Save the locked job's fields, and owe the document that shows them."""
    job.version += 1
    job.save(update_fields=[*fields, "version"])
    Errand.objects.owe(job, ErrandKind.DOCUMENT)


@in_transaction
def show_change(job_id: int) -> None:
    """Owe the document anew, as something it shows has changed."""
    change(locked_job(job_id))


@in_transaction
def retry_errand(errand: Errand) -> bool:
    """Make an errand due now, whatever it waited for. Return False if it is done meanwhile."""
    job = locked_job(errand.job_id)
    due = Errand.objects.filter(pk=errand.pk).retry()
    if due:
        change(job)
    return bool(due)


@in_transaction
def record_document_written(errand: Errand, *, version: int) -> None:
    """The job's document is stored in this version; a newer one is due at once."""
    job = Job.objects.locked(errand.job_id)
    held = Errand.objects.held(errand)
    if job.version == version:
        held.delete()
    else:
        held.retry()
