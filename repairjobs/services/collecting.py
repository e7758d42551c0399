"""New jobs, from the client's table into ours; and those of before we went live."""

from collections.abc import Callable, Mapping
from datetime import datetime

from common.time_budget import HasTimeLeft, unlimited
from repairjobs import client
from repairjobs.models import (
    CHUNK,
    MIN_JOB_ID,
    ClientJob,
    Collection,
    Errand,
    ErrandKind,
    Job,
    JobStatus,
    JobTransaction,
    Piece,
)
from repairjobs.services.jobs import change
from repairjobs.services.owing import owe_courtesy, owe_first_texts, withhold_courtesy
from repairjobs.transactions import in_transaction

Progress = Callable[[int], object]

# How many of the last rows are read again: ids are not given in order of creation.
LOOK_BACK = 1_000
SWEEP_ROWS = 20_000
# So many NEW jobs in a first collect are a table that was in use before us.
MAX_TEXTED_AT_FIRST = 20


def collect_jobs(*, at: datetime, has_time_left: HasTimeLeft = unlimited) -> int:
    """Take over the client's NEW jobs; return how many.

    A run that is cut short leaves the rest to the next one, which begins where it ended.

    :raises ClientUnavailable: what was taken over before that stays.
    """
    state = Collection.objects.current()
    collected, after = 0, MIN_JOB_ID - 1
    known_to = after
    if state.watermark is not None:
        known_to = state.watermark
        after = client.id_before(known_to, rows=LOOK_BACK)
    while (piece := client.new_jobs(after=after, size=CHUNK)).end is not None:
        collected += take_over(piece, at=at)
        after = piece.end
        if after > known_to and not has_time_left():
            return collected
    _complete_collection(at=at)
    return collected


def sweep_jobs(*, at: datetime) -> int:
    """Look for NEW jobs in the next stretch of the client's table, round and round.

    It ends where collecting has come to, and begins anew.

    Return how many were taken over.

    :raises ClientUnavailable:
    """
    state = Collection.objects.current()
    if not state.is_live:
        return 0
    piece = client.new_jobs(after=state.swept_to, size=SWEEP_ROWS)
    collected = take_over(piece, at=at)
    is_through = piece.end is None or piece.end >= (state.watermark or MIN_JOB_ID - 1)
    swept_to = MIN_JOB_ID - 1 if is_through else piece.end
    Collection.objects.filter(pk=1).update(swept_to=swept_to)
    return collected


def adopt_jobs(*, text: bool, at: datetime, progress: Progress = lambda done: None) -> int:
    """Decide about the jobs held when going live: text their customers, or open them in silence.

    Return how many there were; ``progress`` hears of each.
    """
    adopted = 0
    for job_id in list(Job.objects.held().order_by("pk").values_list("pk", flat=True)):
        adopted += _adopt(job_id, text=text, at=at)
        progress(1)
    return adopted


@in_transaction
def take_over(piece: Piece, *, at: datetime) -> int:
    """Take over the NEW rows of a piece of the client's table; return how many.

    A row that we know and that is NEW again is noted for a person.
    """
    known = Job.objects.in_bulk([row.job_id for row in piece.rows])
    is_old_news = len(known) == len(piece.rows)
    state = Collection.objects.current()
    if is_old_news and (piece.end is None or piece.end <= (state.watermark or MIN_JOB_ID - 1)):
        return _reopen(known, at=at)
    state = Collection.objects.locked()
    # Whoever collected since the look above was first.
    known = Job.objects.in_bulk([row.job_id for row in piece.rows])
    fresh = [_copy(row, state, at) for row in piece.rows if row.job_id not in known]
    _open_files(fresh, at=at)
    state.watermark = max(state.watermark or MIN_JOB_ID, piece.end or MIN_JOB_ID)
    state.save(update_fields=["watermark"])
    return len(fresh) + _reopen(known, at=at)


def _copy(row: ClientJob, state: Collection, at: datetime) -> Job:
    return Job(
        job_id=row.job_id,
        status=JobStatus.NEW,
        collected_at=at,
        is_held=not state.is_live,
        **row.facts(),
    )


def _open_files(jobs: list[Job], *, at: datetime) -> None:
    """Store new jobs with their lines in the ledger, and owe their documents and texts."""
    Job.objects.bulk_create(jobs)
    JobTransaction.objects.bulk_create(
        JobTransaction(job=job, status=job.status, created_at=at, note="GET new job")
        for job in jobs
    )
    Errand.objects.owe_new(ErrandKind.DOCUMENT, dict.fromkeys(jobs, ""))
    owe_first_texts([job for job in jobs if not job.is_held], at=at)


def _reopen(known: Mapping[int, Job], *, at: datetime) -> int:
    """Note closed jobs that are NEW again, for a person to see."""
    again = [job for job in known.values() if job.closed_at and job.status != JobStatus.NEW]
    for seen in again:
        job = Job.objects.locked(seen.pk)
        job.status = JobStatus.NEW
        JobTransaction.objects.note(job, "GET Job_status NEW after CLOSED", at=at)
        change(job, "status")
    return 0


@in_transaction
def _complete_collection(*, at: datetime) -> None:
    state = Collection.objects.locked()
    if not state.is_live:
        held = list(Job.objects.held()[: MAX_TEXTED_AT_FIRST + 1])
        if len(held) <= MAX_TEXTED_AT_FIRST:
            for job in held:
                _adopt(job.pk, text=True, at=at)
        state.is_live = True
    state.completed_at = at
    state.save(update_fields=["is_live", "completed_at"])


@in_transaction
def _adopt(job_id: int, *, text: bool, at: datetime) -> bool:
    job = Job.objects.locked(job_id)
    if not job.is_held:
        return False
    job.is_held = False
    change(job, "is_held")
    if text:
        owe_courtesy(job, at=at)
    else:
        withhold_courtesy(job, at=at)
    return True
