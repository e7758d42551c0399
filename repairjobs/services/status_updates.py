"""Statuses that we write to the client. The start of a write is recorded before the write."""

from datetime import datetime

from django.conf import settings

from common.db.transactions import atomic_with_retry
from repairjobs.models import (
    STATUS_RANKS,
    ClientJob,
    Job,
    JobStatus,
    OutboxTask,
    normalize_status,
)
from repairjobs.services.job_sync import apply_client_row
from repairjobs.services.workflow import JobEvent, advance

# The only other status that we write is CLIENT_PAID_STATUS.
WRITTEN_EVENTS = {
    JobStatus.OPENED.value: JobEvent.OPENED_WRITTEN,
    JobStatus.CLOSED.value: JobEvent.CLOSED_WRITTEN,
}


@atomic_with_retry(using="repairjobs")
def mark_write_started(task: OutboxTask, row: ClientJob | None, *, at: datetime) -> bool:
    """Record that a worker will now write the task's status to the client's row.

    Return False if the status must not be written: another worker has claimed the task, or the
    client's row has a status that we may not replace. In the second case, copy the row into the
    job. If an earlier write was started, and the row has its status or a later one, that write
    counts as successful.
    """
    job = Job.objects.locked(task.job_id)
    stored = OutboxTask.objects.claimed_by(task).first()
    if stored is None:
        return False
    if row is None or row.normalized_status not in _replaceable_by(task.subject):
        stored.delete()
        status = row.normalized_status if row else ""
        if stored.write_started and status in _reached_after(task.subject):
            _record_written(job, task.subject, at=at)
        elif status == task.subject:
            _record_written_by_client(job, task.subject, at=at)
        apply_client_row(job, row, at=at)
        return False
    stored.write_started = True
    stored.save(update_fields=["write_started"])
    return True


@atomic_with_retry(using="repairjobs")
def record_status_written(task: OutboxTask, *, at: datetime) -> None:
    """Record that the client's row has the task's status."""
    job = Job.objects.locked(task.job_id)
    deleted, _ = OutboxTask.objects.claimed_by(task).delete()
    if deleted:
        _record_written(job, task.subject, at=at)


def retry_after_conflict(task: OutboxTask) -> None:
    """Make the task due again: the client changed the row first, so nothing was written."""
    OutboxTask.objects.claimed_by(task).restart_write()


def _replaceable_by(status: str) -> set[str]:
    """Return the client's statuses that we may overwrite with this one."""
    paid = normalize_status(settings.CLIENT_PAID_STATUS)
    if status == JobStatus.OPENED:
        return {JobStatus.NEW}
    if status == JobStatus.CLOSED:
        return {JobStatus.COMPLETED, paid} - {""}
    return set(JobStatus.values) - {JobStatus.CLOSED}


def _reached_after(status: str) -> set[str]:
    """Return this status and all later statuses."""
    first = STATUS_RANKS.get(status, len(STATUS_RANKS))
    return {status} | {later for later, rank in STATUS_RANKS.items() if rank > first}


def _record_written(job: Job, status: str, *, at: datetime) -> None:
    if event := WRITTEN_EVENTS.get(status):
        job.status = status
        advance(job, event, at=at)
    else:
        # The client's status for paid jobs does not replace ours.
        advance(job, JobEvent.PAID_WRITTEN, at=at, status=status)


def _record_written_by_client(job: Job, status: str, *, at: datetime) -> None:
    """Record that the client wrote a status before we could."""
    if status == JobStatus.CLOSED:
        advance(job, JobEvent.CLOSED_FOUND, at=at)
    elif status not in STATUS_RANKS:
        advance(job, JobEvent.PAID_FOUND, at=at)
