"""The repair jobs' steps beside a large table of the client's and a small one, on MariaDB."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import requests

from benchmarks import desk
from benchmarks.desk import PAGE
from benchmarks.harness import (
    Server,
    Stores,
    interleaved,
    mariadb,
    median,
    run_python,
    scratch_stores,
    serving,
    spoken,
    table,
    times,
)
from tests.support.repairjobs.mongod import running_mongod

LARGE, UNDER_WAY, CHANGED, NEW = 1_000_000, 10_000, 100, 10
MOST = 3.0  # times as long over the large table
SCAN_ROWS, SWEEP_SECONDS = 20_000, 30
Desk = Callable[..., Any]


def run(*, quick: bool) -> Iterator[str]:
    large = 100_000 if quick else LARGE
    under_way = 1_000 if quick else UNDER_WAY
    yield from polls(large, under_way, rounds=3 if quick else 5)
    yield going_live(large, under_way)
    yield pages(large, documents=10_000 if quick else 100_000, rounds=3 if quick else 5)
    yield outbox(under_way)


# --- Looks at the client's table ------------------------------------------------------------


def polls(large: int, under_way: int, *, rounds: int) -> Iterator[str]:
    newest = under_way * 9 // 10
    since = large - newest
    with ExitStack() as stack:
        desks = {
            "small": stack.enter_context(settled_desk(under_way, every=1)),
            # Most of what is under way came lately; a tenth is from any time.
            "large": stack.enter_context(
                settled_desk(large, every=since // (under_way - newest), since=since)
            ),
            # Each on a page of its own: the worst that can be.
            "spread": stack.enter_context(settled_desk(large, every=large // under_way)),
        }
        steps: dict[str, tuple[Any, ...]] = {
            "collect, nothing new": (desk.collect, 0),
            "- the limit: its queries by PyMySQL": (desk.read_new,),
            "- naive: a scan for what is NEW": (desk.scan,),
            f"collect, {NEW} new": (desk.collect, NEW),
            "follow, nothing changed": (desk.follow, 0),
            "- the limit: its queries by PyMySQL ": (desk.read_under_way,),
            "- naive: a query a job": (desk.ask_for_each,),
            f"follow, {CHANGED} changed": (desk.follow, CHANGED),
        }
        sides = {
            (name, size): partial(ask, *step)
            for name, step in steps.items()
            for size, ask in desks.items()
        }
        for side in sides.values():
            side()
        seconds = {side: median(found) for side, found in interleaved(sides, rounds=rounds).items()}
        piece = median([desks["large"](desk.sweep) for _ in range(rounds)])
    yield table(
        f"A look at the client, {under_way:,} jobs under way, MariaDB",
        ["", f"ms, {under_way:,} rows", f"ms, {large:,} rows", "ratio", "ms, spread evenly"],
        [
            (
                name,
                *(spoken(seconds[name, size] * 1000) for size in ("small", "large")),
                times(seconds[name, "large"], seconds[name, "small"]),
                spoken(seconds[name, "spread"] * 1000),
            )
            for name in steps
        ],
    )
    minutes = -(-large // SCAN_ROWS) * SWEEP_SECONDS / 60
    yield (
        f"A sweep of {SCAN_ROWS:,} rows takes {spoken(piece * 1000)} ms, and one every "
        f"{SWEEP_SECONDS} seconds goes round {large:,} rows in {spoken(minutes)} minutes.\n"
    )
    for name in (step for step in steps if not step.startswith("-")):
        ratio = seconds[name, "large"] / seconds[name, "small"]
        assert ratio < MOST, f"{name}: {ratio:.1f} times as long"


@contextmanager
def repair_stores(**settings: str) -> Iterator[Stores]:
    settings = {
        "SERVICES": "repairjobs",
        "SMS_PER_SECOND": "1000000",
        "SMS_BACKEND": "console",
    } | settings
    with scratch_stores("repairjobs", "client", **settings) as stores:
        run_python("manage.py", "create_client_database", env=stores.env)
        yield stores


@contextmanager
def settled_desk(rows: int, *, every: int, since: int = 0) -> Iterator[Desk]:
    """A desk that took over a whole table of the client's; some of the jobs are under way."""
    with repair_stores() as stores:
        fill_client(stores, rows, every=every, since=since, status="OPENED")
        import_batch(stores)
        with desk.desk(stores.env) as ask:
            yield ask


def fill_client(stores: Stores, rows: int, *, every: int, status: str, since: int = 0) -> None:
    """Closed rows, but this status for every so manieth, and for all since a row."""
    facts = "'Test', 'Customer', 'AB1 2CD', '07700 900123', 'WM-1', 'Washing machine'"
    connection = mariadb(stores.urls["client"])
    connection.cursor().execute(f"""
        INSERT INTO Jobs SELECT seq, 'REPAIR',
            IF(seq % {every} = 0 OR seq > {since or rows}, '{status}', 'CLOSED'), {facts}
        FROM seq_1_to_{rows}""")
    connection.cursor().execute("ANALYZE TABLE Jobs")
    connection.close()


def import_batch(stores: Stores) -> None:
    """Our jobs and a line of the ledger for each row, as if all had been collected long ago."""
    client = stores.urls["client"].rpartition("/")[2]
    connection = mariadb(stores.urls["repairjobs"])
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


# --- The first collect of an empty store ---------------------------------------------------------


def going_live(large: int, new: int) -> str:
    cases = {
        f"{new:,} rows, all NEW": (new, new, False),
        f"{new:,} rows, all NEW, their customers texted": (new, new, True),
        f"{large:,} rows, {new:,} NEW": (large, new, False),
    }
    rows = []
    for name, (count, expected, is_live) in cases.items():
        with repair_stores() as stores:
            fill_client(stores, count, every=count // expected, status="NEW")
            with desk.desk(stores.env) as ask:
                if is_live:
                    ask(desk.go_live)
                seconds, before, most = ask(desk.collect_first, expected)
        rows.append((name, spoken(seconds), spoken(before), spoken(most)))
    return table(
        "The first collect of an empty store",
        ["", "seconds", "MiB before", "MiB at most"],
        rows,
    )


# --- Pages -----------------------------------------------------------------------------------


def pages(lines: int, documents: int, *, rounds: int) -> str:
    last, flagged = documents - PAGE - 1, documents * 9 // 10 - PAGE - 1
    end = f"{datetime(2021, 1, 1) + timedelta(seconds=lines - PAGE - 1)}+00:00"  # noqa: DTZ001
    with ExitStack() as stack:
        mongo = stack.enter_context(running_mongod())
        stores = stack.enter_context(repair_stores(MONGO_URL=mongo.url))
        fill_client(stores, lines, every=2, status="OPENED")
        import_batch(stores)
        stack.enter_context(desk.desk(stores.env))(desk.fill_documents, documents)
        server = stack.enter_context(serving(stores.env))
        sides = {
            f"/transactions, {lines:,} lines": ("/transactions?", [end, lines - PAGE - 1]),
            f"/jobs, {documents:,} documents": ("/jobs?", [f"{last:05}"]),
            "/jobs?status=CLOSED": ("/jobs?status=CLOSED&", [f"{flagged:05}"]),
            "/jobs?attention=false": ("/jobs?attention=false&", [f"{flagged:05}"]),
            "/jobs?status=CLOSED&attention=true, none": (
                "/jobs?status=CLOSED&attention=true&",
                [f"{flagged:05}"],
            ),
        }
        asked = {
            (name, where): partial(ask_page, server, path + query)
            for name, (path, key) in sides.items()
            for where, query in {"first": "", "last": f"&cursor={cursor(key)}"}.items()
        }
        for ask in asked.values():
            ask()
        seconds = {side: median(found) for side, found in interleaved(asked, rounds=rounds).items()}
    return table(
        f"Pages of {PAGE:,} in MariaDB and MongoDB",
        ["", "first ms", "last ms", "last/first"],
        [
            (
                name,
                *(spoken(seconds[name, where] * 1000) for where in ("first", "last")),
                times(seconds[name, "last"], seconds[name, "first"]),
            )
            for name in sides
        ],
    )


def ask_page(server: Server, query: str) -> float:
    started = time.perf_counter()
    answer = requests.get(f"{server.url}{query}&limit={PAGE}".replace("&&", "&"), timeout=60)
    seconds = time.perf_counter() - started
    assert answer.ok, answer.content
    return seconds


def cursor(key: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


# --- What is owed --------------------------------------------------------------------------------


def outbox(count: int) -> str:
    rows = []
    with repair_stores() as stores:
        fill_client(stores, count, every=1, status="NEW")
        with desk.desk(stores.env) as ask:
            ask(desk.go_live)
            ask(desk.collect_first, count)
            for name, kind in {
                "documents, beside the ledger": "document",
                "SMS": "sms",
                "statuses to the client": "status",
            }.items():
                rows.append((name, spoken(ask(desk.run_outbox, kind))))
            rows.append(("jobs compared by reconcile_jobs", spoken(count / ask(desk.reconcile))))
    return table(f"{count:,} outbox tasks, one worker, MariaDB", ["", "a second"], rows)
