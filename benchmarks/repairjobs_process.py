"""A process that runs and times steps of the repair jobs, and keeps its connections open."""

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
MAY_BE_NEW = "UPPER(Job_status) LIKE BINARY '%%NEW%%'"


@contextmanager
def repairjobs_process(env: Mapping[str, str]) -> Iterator[Callable[..., Any]]:
    """Start a process with these settings. Yield a function that runs a function below in it."""
    with ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=_set_up, initargs=(dict(env),)
    ) as pool:
        yield lambda function, *arguments: pool.submit(function, *arguments).result()


def _set_up(env: dict[str, str]) -> None:
    os.environ |= env | {"DJANGO_SETTINGS_MODULE": "config.settings"}
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the console backend prints SMS there
    import logging

    import django

    django.setup()
    logging.disable(logging.INFO)


# --- Our steps: each returns its seconds -----------------------------------------------------


def collect(new: int) -> float:
    """Import this number of new jobs."""
    from django.utils import timezone

    from repairjobs.models import ClientJob
    from repairjobs.services import job_import

    last = ClientJob.objects.order_by("job_id").last()
    assert last
    rows = [ClientJob(job_id=last.pk + 1 + number, **SAMPLE_COLUMNS) for number in range(new)]
    ClientJob.objects.bulk_create(rows)
    return _seconds(lambda: job_import.import_new_jobs(at=timezone.now()), expected=new)


def follow(changed: int) -> float:
    """Sync all jobs under way, after this number of rows has changed."""
    from django.db.models import Case, Value, When
    from django.utils import timezone

    from repairjobs.models import ClientJob, Job, OutboxTask
    from repairjobs.services import job_sync

    OutboxTask.objects.all().delete()
    ids = list(Job.objects.under_way().exclude(status="NEW").values_list("pk", flat=True))
    changed_ids = ids[:: len(ids) // changed][:changed] if changed else []
    new_status = Case(When(status="OPENED", then=Value("IN PROGRESS")), default=Value("OPENED"))
    ClientJob.objects.filter(pk__in=changed_ids).update(status=new_status)
    return _seconds(lambda: job_sync.sync_jobs(at=timezone.now()), expected=changed)


def scan_part() -> float:
    """Run one part of the full scan over rows that are not NEW."""
    from django.utils import timezone

    from repairjobs.services import job_import

    return _seconds(lambda: job_import.scan_table(at=timezone.now()), expected=0)


def import_first(expected: int) -> tuple[float, float, float]:
    """Run the first import into an empty database. Return seconds, MiB before, and MiB at most."""
    from django.utils import timezone

    from repairjobs.services import job_import

    before = _resident_mib()
    seconds = _seconds(lambda: job_import.import_new_jobs(at=timezone.now()), expected=expected)
    return seconds, before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def go_live() -> None:
    """Record that the first import is complete, so that later jobs are not on hold."""
    from repairjobs.models import ImportCursor

    ImportCursor.objects.update_or_create(pk=1, defaults={"is_live": True})


def run_outbox(kind: str) -> float:
    """Run the outbox once for a kind of task. Return the tasks per second. SMS are discarded."""
    from django.utils import timezone

    from repairjobs.models import OutboxTask
    from repairjobs.services.outbox.registry import TASK_KINDS
    from repairjobs.services.outbox.runner import run_outbox

    tasks = OutboxTask.objects.filter(kind=kind)
    before, started = tasks.count(), time.perf_counter()
    [task_kind] = [task_kind for task_kind in TASK_KINDS if task_kind.name == kind]
    run_outbox(task_kind, clock=timezone.now)
    return (before - tasks.count()) / (time.perf_counter() - started)


def reconcile() -> float:
    """Compare all jobs. The differences do not matter here."""
    from repairjobs.services.reconciliation import differences

    started = time.perf_counter()
    for _ in differences(progress=lambda count: None):
        pass
    return time.perf_counter() - started


def fill_documents(count: int) -> None:
    """Insert documents into MongoDB: 90 % are CLOSED, and those IN PROGRESS are flagged."""
    from django.conf import settings

    from repairjobs.integrations.documents import document_store

    document_store().get("00000")  # creates the indexes
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


# --- Naive solutions -------------------------------------------------------------------------


def scan() -> float:
    """Find new jobs by a scan of the client's whole table."""
    return _seconds(
        lambda: len(_rows("client", "SELECT * FROM Jobs WHERE UPPER(TRIM(Job_status)) = 'NEW'")),
        expected=None,
    )


def query_each_job() -> float:
    """Find changes of the jobs under way with one query per job."""
    from repairjobs.models import ClientJob, Job

    def count_changed() -> int:
        return sum(
            ClientJob.objects.get(pk=job.pk).normalized_status != job.status
            for job in Job.objects.under_way()
        )

    return _seconds(count_changed, expected=None)


# --- The limit: our SQL without our code -----------------------------------------------------


def read_new() -> float:
    """Run the queries of an import that finds nothing, with PyMySQL."""
    from repairjobs.models import ImportCursor
    from repairjobs.services.job_import import LOOK_BACK

    watermark = ImportCursor.objects.current().watermark
    assert watermark is not None
    newest_first = "FROM Jobs WHERE Job_id < %s ORDER BY Job_id DESC"
    look_back = f"SELECT Job_id {newest_first} LIMIT 1 OFFSET {LOOK_BACK - 1}"
    following = "FROM Jobs WHERE Job_id > %s"
    ids_page = f"SELECT Job_id {following} ORDER BY Job_id LIMIT {PAGE}"
    new_rows = (
        f"SELECT * {following} AND Job_id <= %s AND {MAY_BE_NEW} ORDER BY Job_id LIMIT {PAGE}"
    )

    def read() -> int:
        start = _rows("client", look_back, [watermark])
        count, after = 0, start[0][0] if start else 0
        while ids := _rows("client", ids_page, [after]):
            count += len(_rows("client", new_rows, [after, ids[-1][0]]))
            after = ids[-1][0]
        return count

    return _seconds(read, expected=None)


def read_under_way() -> float:
    """Run the queries of a sync that finds nothing, with PyMySQL."""
    under_way = "FROM repairjobs_job WHERE closed_at IS NULL AND job_id > %s ORDER BY job_id"

    def read() -> int:
        count, after = 0, 0
        while jobs := _rows("repairjobs", f"SELECT * {under_way} LIMIT {PAGE}", [after]):
            ids = ", ".join(str(job[0]) for job in jobs)
            count += len(_rows("client", f"SELECT * FROM Jobs WHERE Job_id IN ({ids})"))
            after = jobs[-1][0]
        return count

    return _seconds(read, expected=None)


def _rows(alias: str, statement: str, values: list[Any] | None = None) -> Any:
    from django.db import connections

    connections[alias].ensure_connection()
    with connections[alias].connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def _seconds(step: Callable[[], int], *, expected: int | None) -> float:
    started = time.perf_counter()
    count = step()
    seconds = time.perf_counter() - started
    assert expected in (None, count), f"{count} instead of {expected}"
    return seconds


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


SAMPLE_COLUMNS = {
    "type": "REPAIR",
    "status": "NEW",
    "firstname": "Test",
    "lastname": "Customer",
    "postcode": "AB1 2CD",
    "mobile": "07700 900123",
    "product_id": "WM-1",
    "product_type": "Washing machine",
}
