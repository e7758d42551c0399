"""A job while a step changes it: held until then, and shown by its document afterwards."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from repairjobs.models import (
    Acknowledgement,
    Errand,
    ErrandKind,
    Job,
    JobTransaction,
)
from repairjobs.rendering import flags, unseen_flags
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
    _forget_what_has_gone(job)


def _forget_what_has_gone(job: Job) -> None:
    """What a job is flagged for no longer counts as new when it comes again."""
    seen = set(job.acknowledgements.values_list("flag", flat=True))
    if gone := seen and seen - {flag.key for flag in flags(job)}:
        job.acknowledgements.filter(flag__in=gone).delete()


@in_transaction
def acknowledge(*, job_id: int, keys: Collection[str], at: datetime) -> int:
    """Take off a job's attention what a person has seen, by the keys of the flags that were seen.

    Return how many that were; what was flagged meanwhile stays.

    :raises UnknownJob:
    """
    job = locked_job(job_id)
    seen = [flag for flag in unseen_flags(job) if flag.key in keys]
    if not seen:
        return 0
    Acknowledgement.objects.bulk_create(
        Acknowledgement(job=job, flag=flag.key, text=flag.text[:600], acknowledged_at=at)
        for flag in seen
    )
    for flag in seen:
        JobTransaction.objects.note(job, f"EVENT seen by a person: {flag.text}", at=at)
    change(job)
    return len(seen)


@in_transaction
def show_change(job_id: int) -> None:
    """Owe the document anew, as something it shows has changed."""
    change(locked_job(job_id))


@in_transaction
def retry_errand(errand: Errand, *, at: datetime) -> bool:
    """Make an errand due now, whatever it waited for. Return False if it is done meanwhile."""
    job = locked_job(errand.job_id)
    due = Errand.objects.filter(pk=errand.pk).retry()
    if due:
        JobTransaction.objects.note(job, f"EVENT {errand.kind} is due now, by hand", at=at)
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
