"""Hot path: many events in few statements, for which the ORM takes five times as long.

``benchmarks/`` compares. PostgreSQL takes rows by COPY, SQLite by ``executemany``.
"""

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from django.db import connections

from dashboard.models import DailyTotal
from dashboard.models import Event as StoredEvent
from dashboard.provider import Event

EVENTS = StoredEvent._meta.db_table
TOTALS = DailyTotal._meta.db_table
ARRAYS = "%s::bigint[], %s::text[], %s::date[], %s::bigint[], %s::bigint[]"
COLUMNS = "id, hotel_id, timestamp, rpg_status, night_of_stay"

# Hotel, reading, day and status, to how many events.
Counts = Counter[tuple[int, str, date, int]]


def stored_among(ids: Sequence[int]) -> dict[int, Event]:
    """The events with these ids that are stored, as the provider reported them."""
    connection = connections["dashboard"]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            select = f"SELECT {COLUMNS} FROM {EVENTS} WHERE id = ANY(%s::bigint[])"
            cursor.execute(select, [_array(ids)])
            return {row[0]: Event(*row) for row in cursor.fetchall()}
    rows = StoredEvent.objects.in_bulk(ids).values()
    return {
        row.id: Event(row.id, row.hotel_id, row.timestamp, row.rpg_status, row.night_of_stay)
        for row in rows
    }


def insert_events(events: Iterable[Event]) -> None:
    """Insert events that are not stored yet."""
    connection = connections["dashboard"]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            lines = [f"{e[0]}\t{e[1]}\t{e[2]}\t{e[3]}\t{e[4]}\n" for e in events]
            cursor.copy_expert(f"COPY {EVENTS} ({COLUMNS}) FROM STDIN", io.StringIO("".join(lines)))
        else:
            rows = [(e[0], e[1], str(e[2].replace(tzinfo=None)), e[3], str(e[4])) for e in events]
            cursor.executemany(f"INSERT INTO {EVENTS} ({COLUMNS}) VALUES (%s,%s,%s,%s,%s)", rows)


def add_to_totals(counts: Counts) -> None:
    """Add to the totals, in one order for all, so that two writers never lock each other out."""
    totals: dict[tuple[int, str, date], list[int]] = {}
    for (hotel_id, reading, day, status), count in counts.items():
        totals.setdefault((hotel_id, reading, day), [0, 0])[status - 1] += count
    rows: list[tuple[Any, ...]] = [(*key, *sums) for key, sums in sorted(totals.items())]
    is_postgresql = connections["dashboard"].vendor == "postgresql"
    values = f"SELECT * FROM unnest({ARRAYS})" if is_postgresql else "VALUES (%s,%s,%s,%s,%s)"
    upsert = (
        f"INSERT INTO {TOTALS} (hotel_id, reading, day, bookings, cancellations) {values} "
        "ON CONFLICT (hotel_id, reading, day) DO UPDATE SET "
        f"bookings = {TOTALS}.bookings + excluded.bookings, "
        f"cancellations = {TOTALS}.cancellations + excluded.cancellations"
    )
    with connections["dashboard"].cursor() as cursor:
        if is_postgresql:
            cursor.execute(upsert, [_array(column) for column in zip(*rows, strict=True)])
        else:
            cursor.executemany(upsert, rows)


def _array(values: Iterable[int | str | date]) -> str:
    """A PostgreSQL array as text: read faster than a list of so many constants."""
    return f"{{{','.join(map(str, values))}}}"
