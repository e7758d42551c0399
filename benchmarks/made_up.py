"""Made-up content, the same in every run, written straight into a store."""

import io
import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

HOTELS, NIGHTS = 50, 730
FIRST_NIGHT = date(2024, 1, 1)
YEAR = 2024
CANCELLED_SHARE = 0.2
CHUNK = 100_000


def load_events(cursor: Any, count: int, *, at: datetime | None = None) -> None:
    """Fill the data provider's table with hotels' bookings and cancellations.

    50 hotels, two years of nights, booked up to 200 days ahead; with ``at`` all at one instant.
    """
    chance = random.Random(count)
    moment = datetime(2023, 6, 1, tzinfo=UTC)
    step = timedelta(days=NIGHTS) / count
    for start in range(1, count + 1, CHUNK):
        lines = []
        for id in range(start, min(start + CHUNK, count + 1)):
            moment += step
            lead = timedelta(days=int(chance.expovariate(1 / 40)) % 200)
            night = (moment + lead).date()
            hotel = 1 + int(HOTELS * chance.random() ** 1.5)
            status = 2 if chance.random() < CANCELLED_SHARE else 1
            room = 1 + int(chance.random() * 300)
            line = (id, hotel, at or moment, status, room, night, at or moment)
            lines.append("\t".join(map(str, line)) + "\n")
        cursor.copy_expert(
            "COPY dataprovider_event"
            " (id, hotel_id, timestamp, rpg_status, room_id, night_of_stay, recorded_at)"
            " FROM STDIN",
            io.StringIO("".join(lines)),
        )
