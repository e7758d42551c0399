"""The repair jobs' steps, timed in a process of their own that keeps its connections."""

import os
import resource
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pymongo

PAGE = 1_000
LOOKS_NEW = "UPPER(Job_status) LIKE BINARY '%%NEW%%'"


@contextmanager
def desk(env: Mapping[str, str]) -> Iterator[Callable[..., Any]]:
    """A process with these settings, which runs the functions below."""
    with ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=_set_up, initargs=(dict(env),)
    ) as pool:
        yield lambda step, *arguments: pool.submit(step, *arguments).result()


def _set_up(env: dict[str, str]) -> None:
    os.environ |= env | {"DJANGO_SETTINGS_MODULE": "config.settings"}
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # where the console backend's SMS go
    import logging

    import django

    django.setup()
    logging.disable(logging.INFO)


# --- Our steps, in seconds -------------------------------------------------------------------


def collect(new: int) -> float:
    """Collect so many new jobs, and no others."""
    from django.utils import timezone

    from repairjobs.models import ClientJob
    from repairjobs.services import job_import

    last = ClientJob.objects.order_by("job_id").last()
    assert last
    rows = [ClientJob(job_id=last.pk + 1 + number, **MADE_UP) for number in range(new)]
    ClientJob.objects.bulk_create(rows)
    return _seconds(lambda: job_import.import_new_jobs(at=timezone.now()), expected=new)


def follow(changed: int) -> float:
    """Follow all jobs under way, of which so many have changed since."""
    from django.db.models import Case, Value, When
    from django.utils import timezone

    from repairjobs.models import ClientJob, Job, OutboxTask
    from repairjobs.services import job_sync

    OutboxTask.objects.all().delete()
    ids = list(Job.objects.under_way().exclude(status="NEW").values_list("pk", flat=True))
    chosen = ids[:: len(ids) // changed][:changed] if changed else []
    other = Case(When(status="OPENED", then=Value("IN PROGRESS")), default=Value("OPENED"))
    ClientJob.objects.filter(pk__in=chosen).update(status=other)
    return _seconds(lambda: job_sync.sync_jobs(at=timezone.now()), expected=changed)


def sweep() -> float:
    """Sweep one piece of the table, in which nothing is new."""
    from django.utils import timezone

    from repairjobs.services import job_import

    return _seconds(lambda: job_import.scan_table(at=timezone.now()), expected=0)


def collect_first(expected: int) -> tuple[float, float, float]:
    """Collect into an empty store: seconds, MiB before and at most."""
    from django.utils import timezone

    from repairjobs.services import job_import

    before = _resident()
    seconds = _seconds(lambda: job_import.import_new_jobs(at=timezone.now()), expected=expected)
    return seconds, before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def go_live() -> None:
    """Say that the first collect of an empty store is over."""
    from repairjobs.models import ImportCursor

    ImportCursor.objects.update_or_create(pk=1, defaults={"is_live": True})


def run_outbox(kind: str) -> float:
    """Run outbox tasks of a kind, a second, in one run; SMS are printed to nowhere."""
    from django.utils import timezone

    from repairjobs.models import OutboxTask
    from repairjobs.services.outbox.registry import TASK_KINDS
    from repairjobs.services.outbox.runner import run_outbox

    owed = OutboxTask.objects.filter(kind=kind)
    before, started = owed.count(), time.perf_counter()
    [task_kind] = [each for each in TASK_KINDS if each.name == kind]
    run_outbox(task_kind, clock=timezone.now)
    return (before - owed.count()) / (time.perf_counter() - started)


def reconcile() -> float:
    """Compare everything; what differs is told, and counts for nothing here."""
    from repairjobs.services.reconciliation import differences

    started = time.perf_counter()
    for _ in differences(progress=lambda count: None):
        pass
    return time.perf_counter() - started


def fill_documents(count: int) -> None:
    """Documents in MongoDB: nine of ten of closed jobs; those in progress are flagged."""
    from django.conf import settings

    from repairjobs.integrations.documents import document_store

    document_store().get("00000")  # which makes the indexes
    with pymongo.MongoClient[dict[str, Any]](settings.MONGO_URL) as client:
        for start in range(0, count, PAGE):
            client["repairjobs"]["jobs"].insert_many(
                _document(number, _status(number, count)) for number in range(start, start + PAGE)
            )


def _status(number: int, count: int) -> str:
    if number < count * 0.9:
        return "CLOSED"
    return "OPENED" if number % 10 == 0 else "IN PROGRESS"


def _document(number: int, status: str) -> dict[str, Any]:
    customer = {"client_firstname": "Test", "client_lastname": "Customer"}
    return {
        "job_id": f"{number:05}",
        "job_date": "2021-01-01",
        "job_type": "REPAIR",
        "job_status": status,
        "customer": [customer | {"client_postcode": "AB1 2CD", "client_mobile": "07700 900123"}],
        "product": [{"product_id": "WM-1", "product_type": "Washing machine"}],
        "paid": False,
        "parts": [],
        "attention": ["look"] if status == "IN PROGRESS" else [],
        "_version": 1,
        "_has_attention": status == "IN PROGRESS",
    }


# --- The naive ways --------------------------------------------------------------------------


def scan() -> float:
    """Look for new jobs by a scan of the client's whole table."""
    return _seconds(
        lambda: len(_rows("client", "SELECT * FROM Jobs WHERE UPPER(TRIM(Job_status)) = 'NEW'")),
        expected=None,
    )


def ask_for_each() -> float:
    """Look at the jobs under way by a query for each."""
    from repairjobs.models import ClientJob, Job

    def look() -> int:
        return sum(
            ClientJob.objects.get(pk=job.pk).normalized_status != job.status
            for job in Job.objects.under_way()
        )

    return _seconds(look, expected=None)


# --- The limit: our SQL without us -----------------------------------------------------------


def read_new() -> float:
    """What a collect that finds nothing asks the client, by PyMySQL."""
    from repairjobs.models import ImportCursor
    from repairjobs.services.job_import import LOOK_BACK

    watermark = ImportCursor.objects.current().watermark
    assert watermark is not None
    behind = "FROM Jobs WHERE Job_id > %s"

    def look() -> int:
        newest_first = "FROM Jobs WHERE Job_id < %s ORDER BY Job_id DESC"
        back = f"SELECT Job_id {newest_first} LIMIT 1 OFFSET {LOOK_BACK - 1}"
        found, after = 0, _rows("client", back, [watermark])[0][0]
        while ids := _rows(
            "client", f"SELECT Job_id {behind} ORDER BY Job_id LIMIT {PAGE}", [after]
        ):
            piece = f"SELECT * {behind} AND Job_id <= %s AND {LOOKS_NEW} ORDER BY Job_id"
            _rows("client", f"{piece} LIMIT {PAGE}", [after, ids[-1][0]])
            after = ids[-1][0]
        return found

    return _seconds(look, expected=0)


def read_under_way() -> float:
    """What a follow that finds nothing asks us and the client, by PyMySQL."""
    under_way = "FROM repairjobs_job WHERE closed_at IS NULL AND job_id > %s ORDER BY job_id"

    def look() -> int:
        found, after = 0, 0
        while jobs := _rows("repairjobs", f"SELECT * {under_way} LIMIT {PAGE}", [after]):
            ids = ", ".join(str(job[0]) for job in jobs)
            found += len(_rows("client", f"SELECT * FROM Jobs WHERE Job_id IN ({ids})"))
            after = jobs[-1][0]
        return found

    return _seconds(look, expected=None)


def _rows(alias: str, statement: str, values: list[Any] | None = None) -> Any:
    from django.db import connections

    connections[alias].ensure_connection()
    with connections[alias].connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def _seconds(step: Callable[[], int], *, expected: int | None) -> float:
    started = time.perf_counter()
    found = step()
    seconds = time.perf_counter() - started
    assert expected in (None, found), f"{found} instead of {expected}"
    return seconds


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


MADE_UP = {
    "type": "REPAIR",
    "status": "NEW",
    "firstname": "Test",
    "lastname": "Customer",
    "postcode": "AB1 2CD",
    "mobile": "07700 900123",
    "product_id": "WM-1",
    "product_type": "Washing machine",
}
