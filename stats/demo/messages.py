"""Plausible traffic: what a year's messages of many customers look like. It stores nothing."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from uuid import UUID

from stats.services.bulk_insert import Content

CUSTOMERS = 2_000
TYPES, TYPES_WEIGHTS = ("A", "B", "C", "SMS", "EMAIL"), (40, 25, 15, 12, 8)
THOUSANDTHS = {"A": 12, "B": 25, "C": 7, "SMS": 65, "EMAIL": 1}
# Of a day, midnight first: people are awake, and systems work at night too.
HOURS_WEIGHTS = (2, 1, 1, 1, 1, 2, 4, 7, 10, 12, 12, 11, 10, 11, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3)
DAYS = 365
CHUNK = 10_000


def messages(chance: random.Random, count: int, *, until: datetime) -> Iterator[list[Content]]:
    """So many messages of the year before this instant, in pieces; few customers send most."""
    # By rank: the first sends as much as the last thousand do.
    customers = list(accumulate(1 / rank for rank in range(1, CUSTOMERS + 1)))
    hours = list(accumulate(HOURS_WEIGHTS))
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        columns = zip(
            chance.choices(range(1, CUSTOMERS + 1), cum_weights=customers, k=size),
            chance.choices(TYPES, TYPES_WEIGHTS, k=size),
            chance.choices(range(24), cum_weights=hours, k=size),
            strict=True,
        )
        yield [_message(chance, *column, until) for column in columns]


def _message(
    chance: random.Random, customer_id: int, type: str, hour: int, until: datetime
) -> Content:
    day = until.replace(hour=hour, minute=0, second=0, microsecond=0)
    timestamp = day - timedelta(
        days=chance.randrange(DAYS), microseconds=-chance.randrange(3_600_000_000)
    )
    return Content(
        uuid=str(UUID(int=chance.getrandbits(128), version=4)),
        customer_id=customer_id,
        type=type,
        thousandths=THOUSANDTHS[type] * chance.randint(1, 4),
        timestamp=min(timestamp, until).astimezone(UTC),
    )
