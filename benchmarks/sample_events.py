"""Made-up content, the same in every run, written straight into a store."""

import io
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path

from benchmarks.harness import Stores

HOTELS, NIGHTS = 50, 730
YEAR = 2024
FIRST = datetime(2023, 6, 1)  # noqa: DTZ001 (stores are told in UTC)
CANCELLED_SHARE = 0.2
CHUNK = 100_000

COLUMNS = "id, hotel_id, timestamp, rpg_status, room_id, night_of_stay, recorded_at"
Row = tuple[int, int, datetime, int, int, date, datetime]


def events(count: int, *, at: datetime | None) -> Iterator[Row]:
    """Hotels' bookings and cancellations: 50 hotels, two years, booked up to 200 days ahead."""
    chance = random.Random(count)
    step = timedelta(days=NIGHTS) / count
    for id in range(1, count + 1):
        moment = FIRST + id * step
        night = moment + timedelta(days=int(chance.expovariate(1 / 40)) % 200)
        hotel_id = 1 + int(HOTELS * chance.random() ** 1.75)
        status = 2 if chance.random() < CANCELLED_SHARE else 1
        room_id = 1 + int(chance.random() * 300)
        yield id, hotel_id, at or moment, status, room_id, night.date(), at or moment


def fill(stores: Stores, count: int, *, at: datetime | None = None) -> None:
    """Put so many events into the data provider's store; with ``at`` all at this instant."""
    rows = events(count, at=at)
    while chunk := list(islice(rows, CHUNK)):
        if "dataprovider" in stores.urls:
            _copy(stores, chunk)
        else:
            _insert(stores, chunk)
    if "dataprovider" in stores.urls:
        stores.settle("dataprovider", "dataprovider_event")


def _copy(stores: Stores, rows: list[Row]) -> None:
    lines = io.StringIO("".join("\t".join(map(str, row)) + "\n" for row in rows))
    with stores.session("dataprovider") as cursor:
        cursor.execute("SET timezone TO 'UTC'")
        cursor.copy_expert(f"COPY dataprovider_event ({COLUMNS}) FROM STDIN", lines)


def _insert(stores: Stores, rows: list[Row]) -> None:
    path = Path(stores.env["DATA_DIR"]) / "dataprovider.sqlite3"
    insert = f"INSERT INTO dataprovider_event ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
    with closing(sqlite3.connect(path)) as store, store:
        store.executemany(insert, [[str(value) for value in row] for row in rows])
