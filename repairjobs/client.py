"""The client's table, over the database ``client``: read in pieces, written by compare-and-set."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import (
    IntegrityError,
    InterfaceError,
    OperationalError,
    connections,
    models,
    transaction,
)

from repairjobs.models import MAX_JOB_ID, MIN_JOB_ID, ClientJob, Piece


class ClientUnavailable(Exception):
    """The client's database did not answer."""


class TakenId(Exception):
    """The client has a job with this id."""


def new_jobs(*, after: int, size: int) -> Piece:
    """The NEW rows among the next ``size`` rows behind an id.

    :raises ClientUnavailable:
    """
    with _asking():
        return ClientJob.objects.piece(after=after, size=size)


def id_before(job_id: int, *, rows: int) -> int:
    """The id that so many rows stand behind, up to this one; one below all ids if there are fewer.

    :raises ClientUnavailable:
    """
    with _asking():
        before = ClientJob.objects.filter(job_id__lt=job_id).order_by("-job_id")
        found = before.values_list("job_id", flat=True)[rows - 1 : rows].first()
    return MIN_JOB_ID - 1 if found is None else found


def fetch(job_ids: Iterable[int]) -> dict[int, ClientJob]:
    """The rows with these ids, those that are still there.

    :raises ClientUnavailable:
    """
    with _asking():
        return ClientJob.objects.in_bulk(list(job_ids))


def compare_and_set(job_id: int, *, expected: str | None, status: str) -> bool:
    """Set a row's status if it is still the expected one. Return whether it was.

    :raises ClientUnavailable: then it may have been set, or not.
    """
    with _asking():
        row = ClientJob.objects.filter(pk=job_id, status=expected)
        return bool(row.update(status=status))


def add(*, job_id: int | None = None, **columns: str | None) -> ClientJob:
    """Add a row; without an id it gets the next one. For the sandbox.

    :raises TakenId: if there is a row with this id.
    :raises ClientUnavailable:
    """
    with _asking():
        if job_id is None:
            highest = ClientJob.objects.aggregate(models.Max("job_id"))["job_id__max"]
            job_id = max(highest or 0, 0) + 1
        if job_id > MAX_JOB_ID:
            raise TakenId(f"no id is left behind job {MAX_JOB_ID}; name one that is free")
        try:
            with transaction.atomic(using="client"):
                return ClientJob.objects.create(job_id=job_id, **columns)
        except IntegrityError as error:
            raise TakenId(f"job {job_id} is taken") from error


def change(job_id: int, **columns: str | None) -> ClientJob | None:
    """Change columns of a row and return it; None if there is none. For the sandbox.

    :raises ClientUnavailable:
    """
    with _asking():
        row = ClientJob.objects.filter(pk=job_id)
        if columns:
            row.update(**columns)
        return row.first()


@contextmanager
def _asking() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        connection = connections["client"]
        if not connection.in_atomic_block:
            # One that timed out would answer the next question with the last one's rows.
            connection.close()
        raise ClientUnavailable(f"the client's database did not answer: {error}") from error
