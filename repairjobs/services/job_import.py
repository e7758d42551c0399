"""Import of the client's NEW jobs."""

from collections.abc import Iterable
from datetime import datetime

from common.db.transactions import atomic_with_retry
from common.time_budget import HasTimeLeft, unlimited
from repairjobs.integrations import client_database
from repairjobs.models import (
    BATCH_SIZE,
    MIN_JOB_ID,
    ClientJob,
    ImportCursor,
    Job,
    JobStatus,
    ScanBatch,
)
from repairjobs.services.holds import release
from repairjobs.services.workflow import JobEvent, advance, start_jobs

# Rows before the watermark that each import reads again: ids do not come in order of creation.
LOOK_BACK = 1_000
SCAN_ROWS = 20_000
# If the first import finds more NEW jobs, the client's table was in use before us.
MAX_TEXTED_AT_FIRST = 20


def import_new_jobs(*, at: datetime, has_time_left: HasTimeLeft = unlimited) -> int:
    """Import the client's NEW jobs and return how many.

    If no time is left, the next run continues.

    :raises ClientUnavailable: the jobs imported so far stay.
    """
    cursor = ImportCursor.objects.current()
    imported, after = 0, cursor.highest_id
    if cursor.watermark is not None:
        after = client_database.id_before(cursor.watermark, rows=LOOK_BACK)
    while (batch := client_database.scan_new_jobs(after=after, size=BATCH_SIZE)).end is not None:
        imported += import_batch(batch, at=at)
        after = batch.end
        if after > cursor.highest_id and not has_time_left():
            return imported
    _complete_import(at=at)
    return imported


def scan_table(*, at: datetime) -> int:
    """Import the NEW jobs of the next part of the client's table and return how many.

    The full scan starts again when it reaches the watermark.

    :raises ClientUnavailable:
    """
    cursor = ImportCursor.objects.current()
    if not cursor.is_live:
        return 0
    batch = client_database.scan_new_jobs(after=cursor.scan_position, size=SCAN_ROWS)
    imported = import_batch(batch, at=at)
    if batch.end is None or batch.end >= cursor.highest_id:
        ImportCursor.objects.move_scan(MIN_JOB_ID - 1)
    else:
        ImportCursor.objects.move_scan(batch.end)
    return imported


@atomic_with_retry(using="repairjobs")
def import_batch(batch: ScanBatch, *, at: datetime) -> int:
    """Import the NEW rows of a batch and return how many were not imported before.

    A job that was closed before and is NEW again gets a line in the ledger and a flag.
    """
    if batch.end is None:
        return 0
    known = Job.objects.in_bulk([row.job_id for row in batch.rows])
    if len(known) == len(batch.rows) and batch.end <= ImportCursor.objects.current().highest_id:
        # The usual case: there is nothing to import, so no lock is needed.
        _record_reopened(known.values(), at=at)
        return 0
    cursor = ImportCursor.objects.locked()
    # Query again under the lock, because another import may have stored these jobs meanwhile.
    known = Job.objects.in_bulk([row.job_id for row in batch.rows])
    new_jobs = [_to_job(row, cursor, at) for row in batch.rows if row.job_id not in known]
    start_jobs(new_jobs, at=at)
    _record_reopened(known.values(), at=at)
    cursor.watermark = max(cursor.highest_id, batch.end)
    cursor.save(update_fields=["watermark"])
    return len(new_jobs)


def _to_job(row: ClientJob, cursor: ImportCursor, at: datetime) -> Job:
    return Job(
        job_id=row.job_id,
        status=JobStatus.NEW,
        imported_at=at,
        is_on_hold=not cursor.is_live,
        **row.client_fields(),
    )


def _record_reopened(known: Iterable[Job], *, at: datetime) -> None:
    """Record the jobs that were closed and are NEW again."""
    reopened = [job for job in known if job.closed_at and job.status != JobStatus.NEW]
    for stale in reopened:
        job = Job.objects.locked(stale.pk)
        job.status = JobStatus.NEW
        changes = f"Job_status {JobStatus.NEW} after {JobStatus.CLOSED}"
        advance(job, JobEvent.CLIENT_SET_NEW, at=at, changes=changes)


@atomic_with_retry(using="repairjobs")
def _complete_import(*, at: datetime) -> None:
    cursor = ImportCursor.objects.locked()
    if not cursor.is_live:
        on_hold = list(Job.objects.on_hold()[: MAX_TEXTED_AT_FIRST + 1])
        if len(on_hold) <= MAX_TEXTED_AT_FIRST:
            for job in on_hold:
                release(job.pk, text=True, at=at)
        cursor.is_live = True
    cursor.completed_at = at
    cursor.save(update_fields=["is_live", "completed_at"])
