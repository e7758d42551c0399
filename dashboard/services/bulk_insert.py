"""Hot path: many events in few statements, for which the ORM takes five times as long.

``benchmarks/`` compares. PostgreSQL takes rows by COPY, SQLite by ``executemany``.
"""

import gc
import io
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connections

from dashboard.integrations.data_provider import Event
from dashboard.models import DailyTotal
from dashboard.models import Event as StoredEvent

EVENTS = StoredEvent._meta.db_table
TOTALS = DailyTotal._meta.db_table
ARRAYS = "%s::bigint[], %s::text[], %s::date[], %s::bigint[], %s::bigint[]"
COLUMNS = "id, hotel_id, timestamp, rpg_status, night_of_stay"

# A row of COPY: the number of columns, then each with its length; time counts from 2000.
ROW = struct.Struct("!h iq iq iq ih ii")
EPOCH, MICROSECOND = datetime(2000, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
FIRST_DAY = EPOCH.toordinal()

# Hotel, reading, day and status, to how many events.
Counts = Counter[tuple[int, str, date, int]]


@contextmanager
def garbage_left_alone() -> Iterator[None]:
    """No search for reference cycles: events make none, and there are 200,000 of them at a time.

    They are freed as ever, when the last one lets go of them.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


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
            copy = f"COPY {EVENTS} ({COLUMNS}) FROM STDIN WITH (FORMAT binary)"
            cursor.copy_expert(copy, io.BytesIO(_binary(events)))
        else:
            rows = [(e[0], e[1], str(e[2].replace(tzinfo=None)), e[3], str(e[4])) for e in events]
            cursor.executemany(f"INSERT INTO {EVENTS} ({COLUMNS}) VALUES (%s,%s,%s,%s,%s)", rows)


def _binary(events: Iterable[Event]) -> bytes:
    """Rows in PostgreSQL's binary COPY format: made and read in half the time of text."""
    rows = [
        ROW.pack(
            5,
            8,
            id,
            8,
            hotel_id,
            8,
            (timestamp - EPOCH) // MICROSECOND,
            2,
            status,
            4,
            night.toordinal() - FIRST_DAY,
        )
        for id, hotel_id, timestamp, status, night in events
    ]
    return b"".join([b"PGCOPY\n\xff\r\n\0", bytes(8), *rows, b"\xff\xff"])


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
