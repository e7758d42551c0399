"""Whether the client, our jobs and their documents say the same."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from common.time_budget import HasTimeLeft, unlimited
from repairjobs import client
from repairjobs.documents import Document, documents
from repairjobs.models import CHUNK, MIN_JOB_ID, ClientJob, Job, JobStatus, spoken_id
from repairjobs.rendering import document_of, in_order
from repairjobs.services.collecting import SWEEP_ROWS
from repairjobs.services.following import status_in

Progress = Callable[[int], object]


class Difference(NamedTuple):
    """Something about a job that is not as it will be when all work is done."""

    job_id: int
    what: str
    detail: str = ""

    def __str__(self) -> str:
        return f"job {spoken_id(self.job_id)}: {self.what}{self.detail}"


def differences(
    *, progress: Progress, start: int = MIN_JOB_ID, has_time_left: HasTimeLeft = unlimited
) -> Iterator[Difference]:
    """Each difference; what is on its way at this moment is one too.

    The job ``start`` and those behind it come first, as in following.

    :raises ClientUnavailable:
    :raises DocumentsUnavailable:
    """
    for chunk in Job.objects.with_details().chunks(start=start):
        yield from _compare(chunk, client.fetch(chunk))
        progress(len(chunk))
        if not has_time_left():
            return
    yield from _not_taken_over()


def lasting(found: Collection[Difference]) -> Iterator[Difference]:
    """Those of these differences that are still there.

    :raises ClientUnavailable:
    :raises DocumentsUnavailable:
    """
    before = {(it.job_id, it.what) for it in found}
    ids = sorted({it.job_id for it in found})
    for start in range(0, len(ids), CHUNK):
        piece = ids[start : start + CHUNK]
        rows, jobs = client.fetch(piece), Job.objects.with_details().in_bulk(piece)
        unknown = (row for row in rows.values() if row.plain_status == JobStatus.NEW)
        for it in chain(_compare(jobs, rows), _unknown(unknown, jobs)):
            if (it.job_id, it.what) in before:
                yield it


def _compare(jobs: Mapping[int, Job], rows: Mapping[int, ClientJob]) -> Iterator[Difference]:
    stored = documents().get_many([job.spoken_id for job in jobs.values()])
    for job in jobs.values():
        yield from _with_client(job, rows.get(job.pk))
        yield from _with_document(job, stored.get(job.spoken_id))
        yield from _owed(job)


def _with_client(job: Job, row: ClientJob | None) -> Iterator[Difference]:
    if row is None:
        yield Difference(job.pk, "the client has no row")
        return
    if job.status != status_in(row, job):
        at_client = row.plain_status or "no status"
        yield Difference(job.pk, f"{at_client} at the client, {job.status} with us")
    if job.closed_at is None and job.facts() != row.facts():
        yield Difference(job.pk, "the client's customer or product is another one")


def _with_document(job: Job, document: Document | None) -> Iterator[Difference]:
    if document is None:
        yield Difference(job.pk, "there is no document")
    elif document != document_of(job):
        yield Difference(job.pk, "the document is not what it should be")


def _owed(job: Job) -> Iterator[Difference]:
    for errand in in_order(job.errands):
        detail = f", attempts: {errand.attempts} {errand.last_error}".rstrip()
        yield Difference(job.pk, f"owed: {errand.kind}", detail)


def _unknown(rows: Iterable[ClientJob], known: Mapping[int, Job]) -> Iterator[Difference]:
    for row in rows:
        if row.job_id not in known:
            yield Difference(row.job_id, f"{JobStatus.NEW} at the client, unknown to us")


def _not_taken_over() -> Iterator[Difference]:
    after: int | None = MIN_JOB_ID - 1
    while after is not None:
        piece = client.new_jobs(after=after, size=SWEEP_ROWS)
        known = Job.objects.in_bulk([row.job_id for row in piece.rows])
        yield from _unknown(piece.rows, known)
        after = piece.end
