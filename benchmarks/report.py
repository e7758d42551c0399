"""``GET /dashboard`` for a year of days, with two sizes of the event table."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import requests

from benchmarks import sample_events
from benchmarks.harness import (
    Databases,
    Load,
    median_loads,
    run_python,
    scratch_databases,
    serving,
    table_of_loads,
    wrk,
)

NAIVE = "benchmarks.naive.wsgi:application"
QUERY = f"hotel_id=1&period=day&year={sample_events.YEAR}"


def run(*, quick: bool) -> Iterator[str]:
    sizes = [20_000, 200_000] if quick else [100_000, 1_000_000]
    for count in sizes:
        loads = measure(count, seconds=2 if quick else 4, rounds=2 if quick else 5)
        title = f"GET /dashboard, a year of days, 32 connections, {count:,} events in PostgreSQL"
        yield table_of_loads(title, loads, base="ours", ratio="ours is")


def measure(count: int, *, seconds: int, rounds: int) -> dict[str, Load]:
    with ExitStack() as stack:
        databases = stack.enter_context(scratch_databases("dataprovider", "dashboard"))
        fill(databases, count)
        env = databases.env | {"SERVICES": "dashboard"}
        ours = stack.enter_context(serving(env)).url
        complete = stack.enter_context(serving(databases.env)).url
        naive = stack.enter_context(serving(databases.env, app=NAIVE)).url
        url = f"{ours}/dashboard?{QUERY}"
        etag = requests.get(url).headers["ETag"]
        assert requests.get(url, headers={"If-None-Match": etag}).status_code == 304
        load = partial(wrk, seconds=seconds)
        sides = {
            "events counted for each request": partial(load, f"{naive}/dashboard/counted?{QUERY}"),
            "totals by a DRF serializer": partial(load, f"{naive}/dashboard/serialized?{QUERY}"),
            "ours": partial(load, url),
            "ours, unchanged (304)": partial(load, url, headers=[f"If-None-Match: {etag}"]),
            "ours, one process for all services": partial(load, f"{complete}/dashboard?{QUERY}"),
        }
        return median_loads(sides, rounds=rounds)


def fill(databases: Databases, count: int) -> None:
    """Ingest events with this project, and add the index that the naive views need."""
    sample_events.insert(databases, count)
    with serving(databases.env) as provider:
        env = databases.env | {"DATA_PROVIDER_URL": provider.url}
        run_python("-m", "benchmarks.ingest_once", "ours", str(count), env=env)
    with databases.session("dashboard") as cursor:
        cursor.execute("CREATE INDEX ON dashboard_event (hotel_id, night_of_stay)")
    databases.settle("dashboard", "dashboard_event", "dashboard_dailytotal")
