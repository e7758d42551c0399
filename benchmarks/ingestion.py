"""Events per second, from the provider over HTTP into the database of the dashboard."""

import io
import time
from collections.abc import Iterator
from functools import partial

from benchmarks import sample_events
from benchmarks.harness import (
    Server,
    Stores,
    interleaved,
    median,
    run_python,
    scratch_stores,
    serving,
    spoken,
    table,
    times,
)

COLUMNS = "id, hotel_id, timestamp, rpg_status, night_of_stay"
TABLES = "dashboard_event, dashboard_dailytotal, dashboard_ingestion, dashboard_rejectedevent"


def run(*, quick: bool) -> Iterator[str]:
    count = 100_000 if quick else 1_000_000
    with scratch_stores("dataprovider", "dashboard") as stores:
        sample_events.insert(stores, count)
        provider_env = stores.env | {"SERVICES": "dataprovider"}
        with (
            serving(provider_env) as ours,
            serving(stores.env, app="benchmarks.naive.wsgi:application") as naive,
        ):
            sides = {
                "one ORM upsert per event": partial(ingest, stores, naive, "one by one", 2_000),
                "serializer pages of 1,000 and bulk_create": partial(
                    ingest, stores, naive, "page by page", 20_000 if quick else 50_000
                ),
                "ours": partial(ingest, stores, ours, "ours", count),
                "the limit: COPY and one grouped upsert": partial(copy_all, stores),
            }
            rates = interleaved(sides, rounds=2 if quick else 5)
    medians = {name: median(samples) for name, samples in rates.items()}
    yield table(
        f"Ingestion: {count:,} events from the provider over HTTP into PostgreSQL",
        ["", "events/s", "ours is"],
        [(name, spoken(rate), times(medians["ours"], rate)) for name, rate in medians.items()],
    )


def ingest(stores: Stores, provider: Server, side: str, count: int) -> float:
    """Return the events per second of one side, into empty tables."""
    empty(stores)
    env = stores.env | {"SERVICES": "dashboard", "DATA_PROVIDER_URL": provider.url}
    if side != "ours":
        env |= {"DJANGO_SETTINGS_MODULE": "benchmarks.naive.settings"}
    stored, seconds = run_python("-m", "benchmarks.ingest_once", side, str(count), env=env).split()
    assert int(stored) == count, f"{side} stored {stored}"
    return count / float(seconds)


def empty(stores: Stores) -> None:
    with stores.session("dashboard") as cursor:
        cursor.execute(f"TRUNCATE {TABLES}")
    stores.settle("dashboard", "dashboard_event", "dashboard_dailytotal")


def copy_all(stores: Stores) -> float:
    """Return the events per second of the same rows, out of memory in one SQL session.

    Call it after ours: the totals must be equal.
    """
    our_totals = fingerprint(stores)
    empty(stores)
    rows = io.StringIO()
    with stores.session("dataprovider") as cursor:
        cursor.copy_expert(f"COPY dataprovider_event ({COLUMNS}) TO STDOUT", rows)
    rows.seek(0)
    started = time.perf_counter()
    with stores.session("dashboard") as cursor:
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
    assert fingerprint(stores) == our_totals, "the totals differ from those of plain SQL"
    return rows.getvalue().count("\n") / seconds


def fingerprint(stores: Stores) -> str:
    with stores.session("dashboard") as cursor:
        cursor.execute("""
            SELECT md5(string_agg(
                concat_ws(',', hotel_id, date_basis, day, bookings, cancellations), ';'
                ORDER BY hotel_id, date_basis, day)) FROM dashboard_dailytotal""")
        return cursor.fetchone()[0]
