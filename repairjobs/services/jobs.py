"""A job while a step changes it: held until then, and shown by its document afterwards."""

from collections.abc import Mapping
from uuid import UUID

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
def record_documents_written(claim: UUID | None, versions: Mapping[int, int]) -> None:
    """These jobs' documents, claimed together, are stored in these versions; newer ones are due."""
    # In one order, so that no two wait for each other.
    jobs = Job.objects.select_for_update().filter(pk__in=versions).order_by("pk")
    done = [job.pk for job in jobs if job.version == versions[job.pk]]
    held = Errand.objects.filter(job__in=versions, kind=ErrandKind.DOCUMENT, claim=claim)
    held.filter(job__in=done).delete()
    held.retry()
