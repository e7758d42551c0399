"""Random messages of many customers over a year, for the demo. This module stores nothing."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from uuid import UUID

from stats.models import MessageData

CUSTOMERS = 2_000
TYPES, TYPE_WEIGHTS = ("A", "B", "C", "SMS", "EMAIL"), (40, 25, 15, 12, 8)
PRICES = {"A": 12, "B": 25, "C": 7, "SMS": 65, "EMAIL": 1}  # thousandths
# By hour, from midnight. Most messages come during the day, a few at night.
HOUR_WEIGHTS = (2, 1, 1, 1, 1, 2, 4, 7, 10, 12, 12, 11, 10, 11, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3)
DAYS = 365
CHUNK_SIZE = 10_000


def draw_messages(
    rng: random.Random, count: int, *, until: datetime
) -> Iterator[list[MessageData]]:
    """Yield chunks of ``count`` random messages of the year before ``until``.

    A few customers send most of the messages.
    """
    # The first customer sends as much as the last thousand together.
    customer_weights = list(accumulate(1 / rank for rank in range(1, CUSTOMERS + 1)))
    hour_weights = list(accumulate(HOUR_WEIGHTS))
    for start in range(0, count, CHUNK_SIZE):
        size = min(CHUNK_SIZE, count - start)
        columns = zip(
            rng.choices(range(1, CUSTOMERS + 1), cum_weights=customer_weights, k=size),
            rng.choices(TYPES, TYPE_WEIGHTS, k=size),
            rng.choices(range(24), cum_weights=hour_weights, k=size),
            strict=True,
        )
        yield [draw_message(rng, *column, until=until) for column in columns]


def draw_message(
    rng: random.Random, customer_id: int, type: str, hour: int, *, until: datetime
) -> MessageData:
    day = until.replace(hour=hour, minute=0, second=0, microsecond=0)
    timestamp = day - timedelta(
        days=rng.randrange(DAYS), microseconds=-rng.randrange(3_600_000_000)
    )
    return MessageData(
        uuid=str(UUID(int=rng.getrandbits(128), version=4)),
        customer_id=customer_id,
        type=type,
        amount_thousandths=PRICES[type] * rng.randint(1, 4),
        timestamp=min(timestamp, until).astimezone(UTC),
    )
