"""Sync of the jobs under way with the client's table."""

from collections.abc import Mapping
from datetime import datetime

from django.conf import settings

from common.db.transactions import atomic_with_retry
from common.time_budget import HasTimeLeft, unlimited
from repairjobs.integrations import client_database
from repairjobs.models import (
    CLIENT_COLUMNS,
    MIN_JOB_ID,
    STATUS_RANKS,
    ClientJob,
    Job,
    JobStatus,
    OutboxTask,
    normalize_status,
)
from repairjobs.services.workflow import JobEvent, advance

STATUS_EVENTS: Mapping[str, JobEvent] = {
    JobStatus.NEW: JobEvent.CLIENT_SET_NEW,
    JobStatus.OPENED: JobEvent.CLIENT_SET_OPENED,
    JobStatus.IN_PROGRESS: JobEvent.CLIENT_SET_IN_PROGRESS,
    JobStatus.COMPLETED: JobEvent.CLIENT_SET_COMPLETED,
    JobStatus.CLOSED: JobEvent.CLIENT_SET_CLOSED,
}


def sync_jobs(
    *, at: datetime, start: int = MIN_JOB_ID, has_time_left: HasTimeLeft = unlimited
) -> int:
    """Read the jobs under way from the client and return how many changed.

    Jobs from id ``start`` on come first. With a random start, every job is read in the end, even if
    no run has the time for all jobs.

    :raises ClientUnavailable: the jobs synced so far stay.
    """
    changed = 0
    for jobs in Job.objects.under_way().batches(start=start):
        rows = client_database.fetch(jobs)
        for job in jobs.values():
            row = rows.get(job.pk)
            if _differs(job, row):
                changed += _sync_job(job, row, at=at)
        if not has_time_left():
            break
    return changed


def status_at_client(row: ClientJob, job: Job) -> str:
    """Return the job's status according to the client's row.

    ``CLIENT_PAID_STATUS`` does not change our status, because it only marks a job as paid.
    """
    paid = normalize_status(settings.CLIENT_PAID_STATUS)
    is_paid_mark = row.normalized_status and row.normalized_status == paid
    return job.status if is_paid_mark else row.normalized_status[:255]


def _differs(job: Job, row: ClientJob | None) -> bool:
    if row is None:
        return not job.is_missing
    is_changed = job.client_fields() != row.client_fields()
    return job.is_missing or is_changed or job.status != status_at_client(row, job)


@atomic_with_retry(using="repairjobs")
def _sync_job(stale: Job, row: ClientJob | None, *, at: datetime) -> bool:
    job = Job.objects.locked(stale.pk)
    if job.version != stale.version:
        # The row may have been read before that change. The next sync reads it again.
        return False
    if row and OutboxTask.objects.write_started(job).exists():
        # The new status may be ours, and must then be recorded as a PUT first.
        return False
    return apply_client_row(job, row, at=at)


def apply_client_row(job: Job, row: ClientJob | None, *, at: datetime) -> bool:
    """Copy the client's row into the locked job. Return whether anything changed."""
    before = job.status
    changes = _copy_row(job, row) if row else _mark_missing(job)
    if not changes:
        return False
    if row is None:
        event = JobEvent.CLIENT_DELETED_ROW
    elif job.status == before:
        event = JobEvent.CLIENT_CHANGED_ROW
    else:
        event = STATUS_EVENTS.get(job.status, JobEvent.CLIENT_SET_OTHER)
    advance(job, event, at=at, changes="; ".join(changes))
    return True


def _mark_missing(job: Job) -> list[str]:
    if job.is_missing:
        return []
    job.is_missing = True
    return ["row not found"]


def _copy_row(job: Job, row: ClientJob) -> list[str]:
    """Copy the row into the job. Return the changes as text without personal data."""
    changes = ["row found again"] if job.is_missing else []
    job.is_missing = False
    status = status_at_client(row, job)
    if status != job.status:
        changes.append(f"Job_status {status}{_describe_jump(job.status, status)}")
        job.status = status
    before, after = job.client_fields(), row.client_fields()
    if names := [name for name in after if after[name] != before[name]]:
        changes.append(f"{', '.join(CLIENT_COLUMNS[name] for name in names)} changed")
    for name in names:
        setattr(job, name, after[name])
    return changes


def _describe_jump(before: str, after: str) -> str:
    """Return a remark if the status went back or skipped others."""
    if before not in STATUS_RANKS or after not in STATUS_RANKS:
        return ""
    if STATUS_RANKS[after] < STATUS_RANKS[before]:
        return f" (back from {before})"
    skipped = [
        status
        for status, rank in STATUS_RANKS.items()
        if STATUS_RANKS[before] < rank < STATUS_RANKS[after]
    ]
    return f" ({', '.join(skipped)} skipped)" if skipped else ""
