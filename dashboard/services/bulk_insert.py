"""Hot path: store and count many events in a few statements. The ORM takes five times as long.

``benchmarks/ingestion.py`` compares both. Rows are inserted by COPY on PostgreSQL, and by
``executemany`` on SQLite.
"""

import gc
import io
import struct
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import Any

from django.db import connections

from dashboard.integrations.data_provider import ProviderEvent
from dashboard.models import Counts, DailyTotal, DateBasis, Event, EventStatus, TotalKey

EVENT_TABLE = Event._meta.db_table
EVENT_COLUMNS = ", ".join(ProviderEvent._fields)
TOTAL_TABLE = DailyTotal._meta.db_table
TOTAL_COLUMNS = [*TotalKey._fields, *Counts._fields]
TOTAL_TYPES = ["bigint", "text", "date"] + ["bigint"] * len(Counts._fields)

# A row in COPY's binary format: the number of columns, then each value after its length in bytes.
# Times and dates count from 2000.
ROW = struct.Struct("!h iq iq iq ih ii")
EPOCH, MICROSECOND = datetime(2000, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
FIRST_DAY = EPOCH.toordinal()

# Plain integers: a comparison with an enum member takes several times as long.
BOOKING, CANCELLATION = EventStatus.BOOKING.value, EventStatus.CANCELLATION.value


@contextmanager
def gc_disabled() -> Iterator[None]:
    """Pause the search for reference cycles, which is slow with 200,000 events in memory.

    Events are in no cycles, so reference counting frees them.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def find_stored(ids: Sequence[int]) -> dict[int, ProviderEvent]:
    """Return the stored events among these ids."""
    connection = connections["dashboard"]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            select = f"SELECT {EVENT_COLUMNS} FROM {EVENT_TABLE} WHERE id = ANY(%s::bigint[])"
            cursor.execute(select, [_array(ids)])
            events = map(ProviderEvent._make, cursor.fetchall())
            return {event.id: event for event in events}
    return {
        id: ProviderEvent(*(getattr(event, name) for name in ProviderEvent._fields))
        for id, event in Event.objects.in_bulk(ids).items()
    }


def insert_events(events: Collection[ProviderEvent]) -> None:
    """Insert events that are not stored yet."""
    connection = connections["dashboard"]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            copy = f"COPY {EVENT_TABLE} ({EVENT_COLUMNS}) FROM STDIN WITH (FORMAT binary)"
            cursor.copy_expert(copy, io.BytesIO(_binary_rows(events)))
        else:
            insert = f"INSERT INTO {EVENT_TABLE} ({EVENT_COLUMNS}) VALUES (%s, %s, %s, %s, %s)"
            cursor.executemany(insert, [_sqlite_row(event) for event in events])


def _binary_rows(events: Iterable[ProviderEvent]) -> bytes:
    """Return rows in COPY's binary format, which takes half the time of its text format."""
    rows = [
        ROW.pack(
            5,
            8,
            event.id,
            8,
            event.hotel_id,
            8,
            (event.timestamp - EPOCH) // MICROSECOND,
            2,
            event.rpg_status,
            4,
            event.night_of_stay.toordinal() - FIRST_DAY,
        )
        for event in events
    ]
    return b"".join([b"PGCOPY\n\xff\r\n\0", bytes(8), *rows, b"\xff\xff"])


def _sqlite_row(event: ProviderEvent) -> tuple[int | str, ...]:
    return (
        event.id,
        event.hotel_id,
        str(event.timestamp.replace(tzinfo=None)),
        event.rpg_status,
        str(event.night_of_stay),
    )


def count_events(events: Collection[ProviderEvent]) -> dict[TotalKey, Counts]:
    """Count events by each of their two dates."""
    booked = [event for event in events if event.rpg_status == BOOKING]
    cancelled = [event for event in events if event.rpg_status == CANCELLATION]
    totals = {}
    for date_basis, count in (
        (DateBasis.STAY_DATE.value, _count_by_stay_date),
        (DateBasis.BOOKING_DATE.value, _count_by_booking_date),
    ):
        bookings, cancellations = count(booked), count(cancelled)
        for hotel_day in bookings.keys() | cancellations.keys():
            hotel_id, day = hotel_day
            counts = Counts(bookings.get(hotel_day, 0), cancellations.get(hotel_day, 0))
            totals[TotalKey(hotel_id, date_basis, day)] = counts
    return totals


def _count_by_stay_date(events: list[ProviderEvent]) -> Counter[tuple[int, date]]:
    return Counter(map(attrgetter("hotel_id", "night_of_stay"), events))


def _count_by_booking_date(events: list[ProviderEvent]) -> Counter[tuple[int, date]]:
    return Counter([(event.hotel_id, event.timestamp.date()) for event in events])


def add_to_totals(totals: Mapping[TotalKey, Counts]) -> None:
    """Add to the stored totals. Writers lock rows in the same order, so they cannot deadlock."""
    rows: list[tuple[Any, ...]] = [(*key, *counts) for key, counts in sorted(totals.items())]
    is_postgresql = connections["dashboard"].vendor == "postgresql"
    if is_postgresql:
        values = f"SELECT * FROM unnest({', '.join(f'%s::{type}[]' for type in TOTAL_TYPES)})"
    else:
        values = f"VALUES ({', '.join(['%s'] * len(TOTAL_COLUMNS))})"
    sums = ", ".join(f"{name} = {TOTAL_TABLE}.{name} + excluded.{name}" for name in Counts._fields)
    upsert = (
        f"INSERT INTO {TOTAL_TABLE} ({', '.join(TOTAL_COLUMNS)}) {values} "
        f"ON CONFLICT ({', '.join(TotalKey._fields)}) DO UPDATE SET {sums}"
    )
    with connections["dashboard"].cursor() as cursor:
        if is_postgresql:
            cursor.execute(upsert, [_array(column) for column in zip(*rows, strict=True)])
        else:
            cursor.executemany(upsert, rows)


def _array(values: Iterable[int | str | date]) -> str:
    """Return a PostgreSQL array as text, which is parsed faster than a list of constants."""
    return f"{{{','.join(map(str, values))}}}"
