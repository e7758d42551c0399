"""Whether the client, our jobs and their documents say the same."""

from collections.abc import Callable, Iterator
from itertools import chain

from config.deadlines import KeepGoing, always
from repairjobs import client
from repairjobs.documents import Document, documents
from repairjobs.models import SMALLEST_ID, ClientJob, Job, JobStatus, spoken_id
from repairjobs.rendering import document_of, in_order
from repairjobs.services.collecting import SWEEP_ROWS
from repairjobs.services.following import status_in

Progress = Callable[[int], object]


def differences(
    *, progress: Progress, start: int = SMALLEST_ID, keep_going: KeepGoing = always
) -> Iterator[str]:
    """Each difference in words; what is on its way at this moment is one too.

    The job ``start`` and those behind it come first, as in following.

    :raises ClientUnavailable:
    :raises DocumentsUnavailable:
    """
    jobs = Job.objects.with_details()
    first, then = jobs.filter(pk__gte=start), jobs.filter(pk__lt=start)
    for chunk in chain(first.chunks(), then.chunks()):
        rows = client.fetch(chunk)
        stored = documents().get_many([job.spoken_id for job in chunk.values()])
        for job in chunk.values():
            yield from _with_client(job, rows.get(job.pk))
            yield from _with_document(job, stored.get(job.spoken_id))
            yield from _owed(job)
        progress(len(chunk))
        if not keep_going():
            return
    yield from _not_taken_over()


def _with_client(job: Job, row: ClientJob | None) -> Iterator[str]:
    if row is None:
        yield f"{job}: the client has no row"
        return
    if job.status != status_in(row, job):
        yield f"{job}: {row.plain_status or 'no status'} at the client, {job.status} with us"
    if job.closed_at is None and job.facts() != row.facts():
        yield f"{job}: the client's customer or product is another one"


def _with_document(job: Job, document: Document | None) -> Iterator[str]:
    if document is None:
        yield f"{job}: there is no document"
    elif document != document_of(job):
        yield f"{job}: the document is not what it should be"


def _owed(job: Job) -> Iterator[str]:
    for errand in in_order(job.errands):
        yield f"{job}: owed: {errand.kind}, attempts: {errand.attempts} {errand.last_error}".strip()


def _not_taken_over() -> Iterator[str]:
    after: int | None = SMALLEST_ID - 1
    while after is not None:
        piece = client.new_jobs(after=after, size=SWEEP_ROWS)
        known = Job.objects.in_bulk([row.job_id for row in piece.rows])
        for row in piece.rows:
            if row.job_id not in known:
                yield f"job {spoken_id(row.job_id)}: {JobStatus.NEW} at the client, unknown to us"
        after = piece.end
