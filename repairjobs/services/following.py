"""What became of the jobs under way, by what the client's table says."""

from datetime import datetime

from django.conf import settings

from common.time_budget import HasTimeLeft, unlimited
from repairjobs import client
from repairjobs.models import (
    FACTS,
    MIN_JOB_ID,
    RANKS,
    ClientJob,
    Job,
    JobTransaction,
    plain_status,
)
from repairjobs.services.jobs import change
from repairjobs.services.owing import carry_on
from repairjobs.transactions import in_transaction


def follow_jobs(
    *, at: datetime, start: int = MIN_JOB_ID, has_time_left: HasTimeLeft = unlimited
) -> int:
    """See what became of the jobs under way at the client; return how many changed.

    The job ``start`` and those behind it come first: runs that begin anywhere see all in the end,
    though each is cut short.

    :raises ClientUnavailable: what was seen before that stays.
    """
    changed = 0
    for jobs in Job.objects.under_way().chunks(start=start):
        rows = client.fetch(jobs)
        for seen in jobs.values():
            row = rows.get(seen.pk)
            if _differs(seen, row):
                changed += _follow(seen, row, at=at)
        if not has_time_left():
            break
    return changed


def _differs(job: Job, row: ClientJob | None) -> bool:
    if row is None:
        return not job.is_missing
    return job.is_missing or job.facts() != row.facts() or job.status != status_in(row, job)


def status_in(row: ClientJob, job: Job) -> str:
    """The job's status by the client's row, where a mark that it is paid says nothing new."""
    is_paid_mark = row.plain_status and row.plain_status == plain_status(
        settings.CLIENT_PAID_STATUS
    )
    return job.status if is_paid_mark else row.plain_status[:255]


@in_transaction
def _follow(seen: Job, row: ClientJob | None, *, at: datetime) -> bool:
    job = Job.objects.locked(seen.pk)
    if job.version != seen.version:
        # The row may have been read before that change; the next look tells.
        return False
    if row and job.errands.intended().exists():
        # Perhaps ours, or a step on from ours, which is about to be recorded first.
        return False
    return absorb(job, row, at=at)


def absorb(job: Job, row: ClientJob | None, *, at: datetime) -> bool:
    """Make the locked job what the client's row says. Return whether that changed anything."""
    changes = _update_from_row(job, row) if row else _lose_row(job)
    if changes:
        JobTransaction.objects.note(job, f"GET {'; '.join(changes)}", at=at)
        change(job, "status", "is_missing", *FACTS)
    carry_on(job, at=at)
    return bool(changes)


def _lose_row(job: Job) -> list[str]:
    if job.is_missing:
        return []
    job.is_missing = True
    return ["found no row any more"]


def _update_from_row(job: Job, row: ClientJob) -> list[str]:
    """Copy the row into the job. Return what changed, in words without personal data."""
    changes = ["found the row again"] if job.is_missing else []
    job.is_missing = False
    status = status_in(row, job)
    if status != job.status:
        changes.append(f"Job_status {status}{_jump(job.status, status)}")
        job.status = status
    before, after = job.facts(), row.facts()
    if names := [name for name in after if after[name] != before[name]]:
        changes.append(f"{', '.join(FACTS[name] for name in names)} changed")
    for name in names:
        setattr(job, name, after[name])
    return changes


def _jump(before: str, after: str) -> str:
    """What is odd about a step from one status to another, in words."""
    if before not in RANKS or after not in RANKS:
        return ""
    if RANKS[after] < RANKS[before]:
        return f" (back from {before})"
    skipped = [status for status, rank in RANKS.items() if RANKS[before] < rank < RANKS[after]]
    return f" ({', '.join(skipped)} skipped)" if skipped else ""
