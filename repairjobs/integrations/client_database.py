"""The client's database: read in batches by id, written by compare-and-set."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import IntegrityError, InterfaceError, OperationalError, connections, transaction

from repairjobs.models import MAX_JOB_ID, MIN_JOB_ID, ClientJob, ScanBatch


class ClientUnavailable(Exception):
    """The client's database did not respond."""


class JobIdTaken(Exception):
    """The client's table already has a job with this id."""


def scan_new_jobs(*, after: int, size: int) -> ScanBatch:
    """Return the NEW rows among the next ``size`` rows after an id.

    :raises ClientUnavailable:
    """
    with _translated_errors():
        return ClientJob.objects.scan(after=after, size=size)


def id_before(job_id: int, *, rows: int) -> int:
    """Return the id that is this many rows before an id.

    If there are fewer rows, return an id below all ids.

    :raises ClientUnavailable:
    """
    with _translated_errors():
        earlier_id = ClientJob.objects.id_before(job_id, rows=rows)
    return MIN_JOB_ID - 1 if earlier_id is None else earlier_id


def fetch(job_ids: Iterable[int]) -> dict[int, ClientJob]:
    """Return the rows with these ids, by id. Missing rows are left out.

    :raises ClientUnavailable:
    """
    with _translated_errors():
        return ClientJob.objects.in_bulk(list(job_ids))


def compare_and_set(job_id: int, *, expected: str | None, status: str) -> bool:
    """Set a row's status if it still has the expected status. Return whether it was set.

    :raises ClientUnavailable: the status may have been set.
    """
    with _translated_errors():
        return ClientJob.objects.compare_and_set(job_id, expected=expected, status=status)


def add_job(*, job_id: int | None = None, **columns: str | None) -> ClientJob:
    """Add a row, with the next free id if none is given. For the sandbox.

    :raises JobIdTaken: if there is a row with this id.
    :raises ClientUnavailable:
    """
    with _translated_errors():
        if job_id is None:
            job_id = ClientJob.objects.next_free_id()
        if job_id > MAX_JOB_ID:
            raise JobIdTaken(f"there is no id after {MAX_JOB_ID}; send a Job_id that is free")
        try:
            with transaction.atomic(using="client"):
                return ClientJob.objects.create(job_id=job_id, **columns)
        except IntegrityError as error:
            raise JobIdTaken(f"job {job_id} already exists") from error


def change_job(job_id: int, **columns: str | None) -> ClientJob | None:
    """Change columns of a row and return it; None if there is no such row. For the sandbox.

    :raises ClientUnavailable:
    """
    with _translated_errors():
        return ClientJob.objects.set_columns(job_id, **columns)


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        connection = connections["client"]
        if not connection.in_atomic_block:
            # After a timeout, the next query would receive the rows of this query.
            connection.close()
        raise ClientUnavailable(f"the client's database did not respond: {error}") from error
