"""Statuses that we write to the client: intended on record, written, recorded as written."""

from datetime import datetime

from django.conf import settings
from django.db.models.functions import Now

from repairjobs.models import (
    RANKS,
    ClientJob,
    Errand,
    Job,
    JobStatus,
    JobTransaction,
    plain_status,
)
from repairjobs.services.following import absorb
from repairjobs.services.jobs import change
from repairjobs.services.owing import carry_on
from repairjobs.transactions import in_transaction


@in_transaction
def intend_status(errand: Errand, row: ClientJob | None, *, at: datetime) -> bool:
    """Put on record that the errand's status is being written over the row's.

    Return whether it is to be written now: not if the client went on without us, which is then
    followed. A row that has the status, or got beyond it, since our intent counts as written by us.
    """
    job = Job.objects.locked(errand.job_id)
    stored = Errand.objects.held(errand).first()
    if stored is None:
        return False
    if row is None or row.plain_status not in _before(errand.subject):
        stored.delete()
        status = row.plain_status if row else ""
        if stored.is_intended and status in _from(errand.subject):
            _finish_status(job, errand.subject, at=at)
        elif status == errand.subject:
            # The client was first; there is nothing left to write.
            _mark_written(job, errand.subject, at=at)
        absorb(job, row, at=at)
        return False
    stored.is_intended = True
    stored.save(update_fields=["is_intended"])
    return True


@in_transaction
def record_status_written(errand: Errand, *, at: datetime) -> None:
    """The errand's status stands in the client's row."""
    job = Job.objects.locked(errand.job_id)
    deleted, _ = Errand.objects.held(errand).delete()
    if deleted:
        _finish_status(job, errand.subject, at=at)


def look_again(errand: Errand) -> None:
    """The client's row was another one by the time of our write: nothing was written."""
    Errand.objects.held(errand).update(due_at=Now(), is_intended=False)


def _before(status: str) -> set[str]:
    """The statuses over which we may write this one."""
    paid = plain_status(settings.CLIENT_PAID_STATUS)
    if status == JobStatus.OPENED:
        return {JobStatus.NEW}
    if status == JobStatus.CLOSED:
        return {JobStatus.COMPLETED, paid} - {""}
    return set(JobStatus.values) - {JobStatus.CLOSED}


def _from(status: str) -> set[str]:
    """This status, and those that a job gets to after it."""
    first = RANKS.get(status, len(RANKS))
    return {status} | {later for later, rank in RANKS.items() if rank > first}


def _finish_status(job: Job, status: str, *, at: datetime) -> None:
    if status in RANKS:
        job.status = status
    _mark_written(job, status, at=at)
    JobTransaction.objects.note(job, f"PUT Job_status {status}", at=at)
    carry_on(job, at=at)


def _mark_written(job: Job, status: str, *, at: datetime) -> None:
    if status == JobStatus.CLOSED:
        job.closed_at = at
    if status not in RANKS:
        job.paid_written_at = at
    change(job, "status", "paid_written_at", "closed_at")
