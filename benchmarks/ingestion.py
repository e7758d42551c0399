"""Events per second, from the provider over HTTP into the database of the dashboard."""

import io
import time
from collections.abc import Iterator
from functools import partial

from benchmarks import sample_events
from benchmarks.harness import (
    Databases,
    Server,
    format_number,
    interleaved,
    median,
    run_python,
    scratch_databases,
    serving,
    table,
    times,
)

COLUMNS = "id, hotel_id, timestamp, rpg_status, night_of_stay"
TABLES = "dashboard_event, dashboard_dailytotal, dashboard_ingestion, dashboard_rejectedevent"


def run(*, quick: bool) -> Iterator[str]:
    count = 100_000 if quick else 1_000_000
    with scratch_databases("dataprovider", "dashboard") as databases:
        sample_events.insert(databases, count)
        provider_env = databases.env | {"SERVICES": "dataprovider"}
        with (
            serving(provider_env) as ours,
            serving(databases.env, app="benchmarks.naive.wsgi:application") as naive,
        ):
            sides = {
                "one ORM upsert per event": partial(ingest, databases, naive, "one by one", 2_000),
                "serializer pages of 1,000 and bulk_create": partial(
                    ingest, databases, naive, "page by page", 20_000 if quick else 50_000
                ),
                "ours": partial(ingest, databases, ours, "ours", count),
                "the limit: COPY and one grouped upsert": partial(copy_all, databases),
            }
            rates = interleaved(sides, rounds=2 if quick else 5)
    medians = {name: median(samples) for name, samples in rates.items()}
    yield table(
        f"Ingestion: {count:,} events from the provider over HTTP into PostgreSQL",
        ["", "events/s", "ours is"],
        [
            (name, format_number(rate), times(medians["ours"], rate))
            for name, rate in medians.items()
        ],
    )


def ingest(databases: Databases, provider: Server, side: str, count: int) -> float:
    """Return the events per second of one side, into empty tables."""
    empty(databases)
    env = databases.env | {"SERVICES": "dashboard", "DATA_PROVIDER_URL": provider.url}
    if side != "ours":
        env |= {"DJANGO_SETTINGS_MODULE": "benchmarks.naive.settings"}
    stored, seconds = run_python("-m", "benchmarks.ingest_once", side, str(count), env=env).split()
    assert int(stored) == count, f"{side} stored {stored}"
    return count / float(seconds)


def empty(databases: Databases) -> None:
    with databases.session("dashboard") as cursor:
        cursor.execute(f"TRUNCATE {TABLES}")
    databases.settle("dashboard", "dashboard_event", "dashboard_dailytotal")


def copy_all(databases: Databases) -> float:
    """Return the events per second of the same rows, out of memory in one SQL session.

    Call it after ours: the totals must be equal.
    """
    our_totals = fingerprint(databases)
    empty(databases)
    rows = io.StringIO()
    with databases.session("dataprovider") as cursor:
        cursor.copy_expert(f"COPY dataprovider_event ({COLUMNS}) TO STDOUT", rows)
    rows.seek(0)
    started = time.perf_counter()
    with databases.session("dashboard") as cursor:
        cursor.copy_expert(f"COPY dashboard_event ({COLUMNS}) FROM STDIN", rows)
        cursor.execute("""
            INSERT INTO dashboard_dailytotal (hotel_id, date_basis, day, bookings, cancellations)
            SELECT hotel_id, date_basis, day,
                count(*) FILTER (WHERE rpg_status = 1), count(*) FILTER (WHERE rpg_status = 2)
            FROM dashboard_event, LATERAL (VALUES
                ('night_of_stay', night_of_stay),
                ('timestamp', (timestamp AT TIME ZONE 'UTC')::date)) AS dates (date_basis, day)
            GROUP BY hotel_id, date_basis, day
            ON CONFLICT (hotel_id, date_basis, day) DO UPDATE SET
                bookings = dashboard_dailytotal.bookings + excluded.bookings,
                cancellations = dashboard_dailytotal.cancellations + excluded.cancellations""")
    seconds = time.perf_counter() - started
    assert fingerprint(databases) == our_totals, "the totals differ from those of plain SQL"
    return rows.getvalue().count("\n") / seconds


def fingerprint(databases: Databases) -> str:
    with databases.session("dashboard") as cursor:
        cursor.execute("""
            SELECT md5(string_agg(
                concat_ws(',', hotel_id, date_basis, day, bookings, cancellations), ';'
                ORDER BY hotel_id, date_basis, day)) FROM dashboard_dailytotal""")
        return cursor.fetchone()[0]
