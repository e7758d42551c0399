"""Sample events, the same in every run, inserted directly into the provider's database."""

import io
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path

from benchmarks.harness import Databases

HOTELS, NIGHTS = 50, 730
YEAR = 2024
FIRST = datetime(2023, 6, 1)  # noqa: DTZ001 (all instants are UTC)
CANCELLED_SHARE = 0.2
CHUNK = 100_000

COLUMNS = "id, hotel_id, timestamp, rpg_status, room_id, night_of_stay, recorded_at"
Row = tuple[int, int, datetime, int, int, date, datetime]


def events(count: int, *, at: datetime | None) -> Iterator[Row]:
    """Yield bookings and cancellations of 50 hotels over two years, up to 200 days ahead."""
    rng = random.Random(count)
    step = timedelta(days=NIGHTS) / count
    for id in range(1, count + 1):
        timestamp = FIRST + id * step
        night = timestamp + timedelta(days=int(rng.expovariate(1 / 40)) % 200)
        hotel_id = 1 + int(HOTELS * rng.random() ** 1.75)
        status = 2 if rng.random() < CANCELLED_SHARE else 1
        room_id = 1 + int(rng.random() * 300)
        yield id, hotel_id, at or timestamp, status, room_id, night.date(), at or timestamp


def insert(databases: Databases, count: int, *, at: datetime | None = None) -> None:
    """Insert events into the provider's database; with ``at``, all with this timestamp."""
    rows = events(count, at=at)
    while chunk := list(islice(rows, CHUNK)):
        if "dataprovider" in databases.urls:
            _copy(databases, chunk)
        else:
            _insert(databases, chunk)
    if "dataprovider" in databases.urls:
        databases.settle("dataprovider", "dataprovider_event")


def _copy(databases: Databases, rows: list[Row]) -> None:
    lines = io.StringIO("".join("\t".join(map(str, row)) + "\n" for row in rows))
    with databases.session("dataprovider") as cursor:
        cursor.execute("SET timezone TO 'UTC'")
        cursor.copy_expert(f"COPY dataprovider_event ({COLUMNS}) FROM STDIN", lines)


def _insert(databases: Databases, rows: list[Row]) -> None:
    path = Path(databases.env["DATA_DIR"]) / "dataprovider.sqlite3"
    insert = f"INSERT INTO dataprovider_event ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
    with closing(sqlite3.connect(path)) as database, database:
        database.executemany(insert, [[str(value) for value in row] for row in rows])
