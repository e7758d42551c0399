"""The repair jobs' steps over a small and a large table of the client, on MariaDB."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import requests

from benchmarks import repairjobs_process
from benchmarks.harness import (
    Databases,
    Server,
    format_number,
    interleaved,
    mariadb,
    median,
    run_python,
    scratch_databases,
    serving,
    table,
    times,
)
from benchmarks.repairjobs_process import PAGE
from tests.support.repairjobs.mongod import running_mongod

LARGE, UNDER_WAY, CHANGED, NEW = 1_000_000, 10_000, 100, 10
MAX_RATIO = 3.0  # of the times over the large and the small table
SCAN_ROWS, SWEEP_SECONDS = 20_000, 30
Run = Callable[..., Any]  # runs a function of repairjobs_process in its process


def run(*, quick: bool) -> Iterator[str]:
    large = 100_000 if quick else LARGE
    under_way = 1_000 if quick else UNDER_WAY
    yield from polls(large, under_way, rounds=3 if quick else 5)
    yield first_import(large, under_way)
    yield pages(large, documents=10_000 if quick else 100_000, rounds=3 if quick else 5)
    yield outbox(under_way)


# --- Polls of the client's table -------------------------------------------------------------


def polls(large: int, under_way: int, *, rounds: int) -> Iterator[str]:
    newest = under_way * 9 // 10
    since = large - newest
    with ExitStack() as stack:
        processes = {
            "small": stack.enter_context(imported_table(under_way, every=1)),
            # Most jobs under way are the newest rows. One tenth is spread over the table.
            "large": stack.enter_context(
                imported_table(large, every=since // (under_way - newest), since=since)
            ),
            # The worst case: each job under way is on a different page of the table.
            "spread": stack.enter_context(imported_table(large, every=large // under_way)),
        }
        steps: dict[str, tuple[Any, ...]] = {
            "collect, nothing new": (repairjobs_process.collect, 0),
            "- the limit: its queries by PyMySQL": (repairjobs_process.read_new,),
            "- naive: a scan for what is NEW": (repairjobs_process.scan,),
            f"collect, {NEW} new": (repairjobs_process.collect, NEW),
            "follow, nothing changed": (repairjobs_process.follow, 0),
            "- the limit: its queries by PyMySQL ": (repairjobs_process.read_under_way,),
            "- naive: a query a job": (repairjobs_process.query_each_job,),
            f"follow, {CHANGED} changed": (repairjobs_process.follow, CHANGED),
        }
        sides = {
            (name, size): partial(run, *step)
            for name, step in steps.items()
            for size, run in processes.items()
        }
        for side in sides.values():
            side()
        durations = interleaved(sides, rounds=rounds)
        seconds = {side: median(durations[side]) for side in sides}
        scan = median([processes["large"](repairjobs_process.scan_part) for _ in range(rounds)])
    yield table(
        f"Polling the client's table, {under_way:,} open jobs, MariaDB",
        ["", f"ms, {under_way:,} rows", f"ms, {large:,} rows", "ratio", "ms, spread evenly"],
        [
            (
                name,
                *(format_number(seconds[name, size] * 1000) for size in ("small", "large")),
                times(seconds[name, "large"], seconds[name, "small"]),
                format_number(seconds[name, "spread"] * 1000),
            )
            for name in steps
        ],
    )
    minutes = -(-large // SCAN_ROWS) * SWEEP_SECONDS / 60
    yield (
        f"One part of the full scan ({SCAN_ROWS:,} rows) takes {format_number(scan * 1000)} ms. "
        f"With one part every {SWEEP_SECONDS} seconds, a full scan of {large:,} rows takes "
        f"{format_number(minutes)} minutes.\n"
    )
    for name in (step for step in steps if not step.startswith("-")):
        ratio = seconds[name, "large"] / seconds[name, "small"]
        assert ratio < MAX_RATIO, f"{name}: {ratio:.1f} times as long"


@contextmanager
def repair_databases(**settings: str) -> Iterator[Databases]:
    settings = {
        "SERVICES": "repairjobs",
        "SMS_PER_SECOND": "1000000",
        "SMS_BACKEND": "console",
    } | settings
    with scratch_databases("repairjobs", "client", **settings) as databases:
        run_python("manage.py", "create_client_database", env=databases.env)
        yield databases


@contextmanager
def imported_table(rows: int, *, every: int, since: int = 0) -> Iterator[Run]:
    """Import a table with some jobs under way. Yield a process that works on it."""
    with repair_databases() as databases:
        fill_client(databases, rows, every=every, since=since, status="OPENED")
        insert_jobs(databases)
        with repairjobs_process.repairjobs_process(databases.env) as run:
            yield run


def fill_client(
    databases: Databases, rows: int, *, every: int, status: str, since: int = 0
) -> None:
    """Insert CLOSED rows. Every n-th row, and all rows after ``since``, get this status instead."""
    other_columns = "'Test', 'Customer', 'AB1 2CD', '07700 900123', 'WM-1', 'Washing machine'"
    connection = mariadb(databases.urls["client"])
    connection.cursor().execute(f"""
        INSERT INTO Jobs SELECT seq, 'REPAIR',
            IF(seq % {every} = 0 OR seq > {since or rows}, '{status}', 'CLOSED'), {other_columns}
        FROM seq_1_to_{rows}""")
    connection.cursor().execute("ANALYZE TABLE Jobs")
    connection.close()


def insert_jobs(databases: Databases) -> None:
    """Insert a job and a ledger line for each of the client's rows, as an old import would."""
    client = databases.urls["client"].rpartition("/")[2]
    connection = mariadb(databases.urls["repairjobs"])
    cursor = connection.cursor()
    cursor.execute(f"""
        INSERT INTO repairjobs_job
            (job_id, type, status, state, firstname, lastname, postcode, mobile, product_id,
            product_type, imported_at, is_on_hold, is_missing, closed_at, version)
        SELECT Job_id, Job_type, Job_status, LOWER(Job_status), Client_firstname,
            Client_lastname, Client_postcode, Client_mobile, Product_id, Product_type,
            '2021-01-01', 0, 0,
            IF(Job_status = 'CLOSED', '2021-02-01', NULL), 1
        FROM {client}.Jobs""")
    cursor.execute("""
        INSERT INTO job_trans (Job_id, Job_status, creationDate, Update_note)
        SELECT job_id, 'NEW', imported_at + INTERVAL job_id SECOND, 'GET new job'
        FROM repairjobs_job""")
    cursor.execute("""
        INSERT INTO repairjobs_importcursor (id, watermark, scan_position, is_live)
        SELECT 1, MAX(job_id), 0, 1 FROM repairjobs_job""")
    cursor.execute("ANALYZE TABLE repairjobs_job, job_trans")
    connection.close()


# --- The first import into an empty database -------------------------------------------------


def first_import(large: int, new: int) -> str:
    cases = {
        f"{new:,} rows, all NEW": (new, new, False),
        f"{new:,} rows, all NEW, with courtesy SMS": (new, new, True),
        f"{large:,} rows, {new:,} NEW": (large, new, False),
    }
    rows = []
    for name, (count, expected, is_live) in cases.items():
        with repair_databases() as databases:
            fill_client(databases, count, every=count // expected, status="NEW")
            with repairjobs_process.repairjobs_process(databases.env) as run:
                if is_live:
                    run(repairjobs_process.go_live)
                seconds, before, at_most = run(repairjobs_process.import_first, expected)
        rows.append((name, format_number(seconds), format_number(before), format_number(at_most)))
    return table(
        "The first import into an empty database",
        ["", "seconds", "MiB before", "MiB at most"],
        rows,
    )


# --- Pages -----------------------------------------------------------------------------------


def pages(lines: int, documents: int, *, rounds: int) -> str:
    last, flagged = documents - PAGE - 1, documents * 9 // 10 - PAGE - 1
    end = f"{datetime(2021, 1, 1) + timedelta(seconds=lines - PAGE - 1)}+00:00"  # noqa: DTZ001
    with ExitStack() as stack:
        mongo = stack.enter_context(running_mongod())
        databases = stack.enter_context(repair_databases(MONGO_URL=mongo.url))
        fill_client(databases, lines, every=2, status="OPENED")
        insert_jobs(databases)
        run = stack.enter_context(repairjobs_process.repairjobs_process(databases.env))
        run(repairjobs_process.fill_documents, documents)
        server = stack.enter_context(serving(databases.env))
        lists = {
            f"/transactions, {lines:,} lines": ("/transactions?", [end, lines - PAGE - 1]),
            f"/jobs, {documents:,} documents": ("/jobs?", [f"{last:05}"]),
            "/jobs?status=CLOSED": ("/jobs?status=CLOSED&", [f"{flagged:05}"]),
            "/jobs?attention=false": ("/jobs?attention=false&", [f"{flagged:05}"]),
            "/jobs?status=CLOSED&attention=true, none": (
                "/jobs?status=CLOSED&attention=true&",
                [f"{flagged:05}"],
            ),
        }
        sides = {
            (name, where): partial(request_page, server, path + query)
            for name, (path, key) in lists.items()
            for where, query in {"first": "", "last": f"&cursor={cursor(key)}"}.items()
        }
        for side in sides.values():
            side()
        durations = interleaved(sides, rounds=rounds)
        seconds = {side: median(durations[side]) for side in sides}
    return table(
        f"Pages of {PAGE:,} in MariaDB and MongoDB",
        ["", "first ms", "last ms", "last/first"],
        [
            (
                name,
                *(format_number(seconds[name, where] * 1000) for where in ("first", "last")),
                times(seconds[name, "last"], seconds[name, "first"]),
            )
            for name in lists
        ],
    )


def request_page(server: Server, query: str) -> float:
    started = time.perf_counter()
    response = requests.get(f"{server.url}{query}&limit={PAGE}".replace("&&", "&"), timeout=60)
    seconds = time.perf_counter() - started
    assert response.ok, response.content
    return seconds


def cursor(key: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


# --- The outbox ------------------------------------------------------------------------------


def outbox(count: int) -> str:
    rows = []
    with repair_databases() as databases:
        fill_client(databases, count, every=1, status="NEW")
        with repairjobs_process.repairjobs_process(databases.env) as run:
            run(repairjobs_process.go_live)
            run(repairjobs_process.import_first, count)
            for name, kind in {
                "documents, next to the ledger": "document",
                "SMS": "sms",
                "statuses to the client": "status",
            }.items():
                rows.append((name, format_number(run(repairjobs_process.run_outbox, kind))))
            seconds = run(repairjobs_process.reconcile)
            rows.append(("jobs compared by reconcile_jobs", format_number(count / seconds)))
    return table(f"{count:,} outbox tasks, one worker, MariaDB", ["", "a second"], rows)
