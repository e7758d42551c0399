"""Comparison of the client's table, our jobs and their documents."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from common.time_budget import HasTimeLeft, unlimited
from repairjobs.integrations import client_database
from repairjobs.integrations.documents import document_store
from repairjobs.integrations.documents.base import Document
from repairjobs.models import (
    BATCH_SIZE,
    MIN_JOB_ID,
    ClientJob,
    Job,
    JobStatus,
    format_job_id,
    in_order,
)
from repairjobs.services.document import build_document
from repairjobs.services.job_import import SCAN_ROWS
from repairjobs.services.job_sync import status_at_client

Progress = Callable[[int], object]


class Difference(NamedTuple):
    """A difference between client, job and document, or a pending outbox task."""

    job_id: int
    problem: str
    detail: str = ""

    def __str__(self) -> str:
        return f"job {format_job_id(self.job_id)}: {self.problem}{self.detail}"


def differences(
    *, progress: Progress, start: int = MIN_JOB_ID, has_time_left: HasTimeLeft = unlimited
) -> Iterator[Difference]:
    """Yield every difference, also differences that work in progress will remove.

    Jobs from id ``start`` on come first, as in ``sync_jobs``.

    :raises ClientUnavailable:
    :raises DocumentsUnavailable:
    """
    for batch in Job.objects.with_details().batches(start=start):
        yield from _compare(batch, client_database.fetch(batch))
        progress(len(batch))
        if not has_time_left():
            return
    yield from _not_imported()


def confirmed(earlier: Collection[Difference]) -> Iterator[Difference]:
    """Yield the earlier differences that still exist.

    :raises ClientUnavailable:
    :raises DocumentsUnavailable:
    """
    known = {(difference.job_id, difference.problem) for difference in earlier}
    job_ids = sorted({difference.job_id for difference in earlier})
    for start in range(0, len(job_ids), BATCH_SIZE):
        batch = job_ids[start : start + BATCH_SIZE]
        rows, jobs = client_database.fetch(batch), Job.objects.with_details().in_bulk(batch)
        new_rows = (row for row in rows.values() if row.normalized_status == JobStatus.NEW)
        for difference in chain(_compare(jobs, rows), _unknown(new_rows, jobs)):
            if (difference.job_id, difference.problem) in known:
                yield difference


def _compare(jobs: Mapping[int, Job], rows: Mapping[int, ClientJob]) -> Iterator[Difference]:
    stored = document_store().get_many([job.formatted_id for job in jobs.values()])
    for job in jobs.values():
        yield from _compare_with_client(job, rows.get(job.pk))
        yield from _compare_with_document(job, stored.get(job.formatted_id))
        yield from _pending_tasks(job)


def _compare_with_client(job: Job, row: ClientJob | None) -> Iterator[Difference]:
    if row is None:
        yield Difference(job.pk, "the client has no row")
        return
    if job.status != status_at_client(row, job):
        at_client = row.normalized_status or "no status"
        yield Difference(job.pk, f"{at_client} at the client, {job.status} here")
    if job.closed_at is None and job.client_fields() != row.client_fields():
        yield Difference(job.pk, "the client has a different customer or product")


def _compare_with_document(job: Job, document: Document | None) -> Iterator[Difference]:
    if document is None:
        yield Difference(job.pk, "there is no document")
    elif document != build_document(job):
        yield Difference(job.pk, "the document is outdated")


def _pending_tasks(job: Job) -> Iterator[Difference]:
    for task in in_order(job.outbox_tasks):
        detail = f", attempts: {task.attempts} {task.last_error}".rstrip()
        yield Difference(job.pk, f"{task.kind} task not done", detail)


def _unknown(rows: Iterable[ClientJob], jobs: Mapping[int, Job]) -> Iterator[Difference]:
    for row in rows:
        if row.job_id not in jobs:
            yield Difference(row.job_id, f"{JobStatus.NEW} at the client, not imported")


def _not_imported() -> Iterator[Difference]:
    after: int | None = MIN_JOB_ID - 1
    while after is not None:
        batch = client_database.scan_new_jobs(after=after, size=SCAN_ROWS)
        jobs = Job.objects.in_bulk([row.job_id for row in batch.rows])
        yield from _unknown(batch.rows, jobs)
        after = batch.end
