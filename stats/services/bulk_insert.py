"""Hot path: many messages in few statements, their totals with them.

``benchmarks/`` compares. PostgreSQL takes messages as arrays, one a column, in one statement,
SQLite by ``executemany``.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connections, transaction

from stats.models import DailyTotal, Message

STORE = "default"
MESSAGES, TOTALS = Message._meta.db_table, DailyTotal._meta.db_table
COLUMNS = "uuid, customer_id, type, amount_thousandths, timestamp"
TOTALS_COLUMNS = "customer_id, type, day, messages, amount_thousandths"

ADD_TO_TOTALS = f"""
    ON CONFLICT (customer_id, type, day) DO UPDATE SET
        messages = {TOTALS}.messages + excluded.messages,
        amount_thousandths = {TOTALS}.amount_thousandths + excluded.amount_thousandths
"""
# Everybody inserts by uuid, then adds by key: two writers never wait for each other in a circle.
STORE_AND_COUNT = f"""
    WITH stored AS (
        INSERT INTO {MESSAGES} ({COLUMNS})
        SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::bigint[], %s::timestamptz[])
        ORDER BY 1
        ON CONFLICT (uuid) DO NOTHING
        RETURNING *
    ), counted AS (
        INSERT INTO {TOTALS} ({TOTALS_COLUMNS})
        SELECT customer_id, type, (timestamp AT TIME ZONE 'UTC')::date AS day,
            count(*), sum(amount_thousandths)
        FROM stored GROUP BY customer_id, type, day ORDER BY customer_id, type, day
        {ADD_TO_TOTALS}
    )
    SELECT string_agg(uuid::text, ' ') FROM stored
"""


class Content(NamedTuple):
    """A message's content, as it was sent or is stored."""

    uuid: str  # canonical
    customer_id: int
    type: str
    thousandths: int
    timestamp: datetime
    is_timed: bool = True  # the timestamp is the sender's, not ours


def store_and_count(messages: Sequence[Content]) -> set[str]:
    """Insert the messages whose uuid is new and add them to the totals; each uuid comes once.

    It is one transaction of its own, committed on return. Return the uuids that were new.
    """
    connection = connections[STORE]
    if connection.vendor != "postgresql":
        with transaction.atomic(using=STORE, durable=True), connection.cursor() as cursor:
            return _store_and_count_on_sqlite(cursor, messages)
    if connection.in_atomic_block:
        raise RuntimeError("within another transaction nothing would be committed on return")
    with connection.cursor() as cursor:
        # One statement is one transaction: BEGIN and COMMIT would take a third of the time.
        cursor.execute(STORE_AND_COUNT, _as_arrays(messages))
        (new,) = cursor.fetchone()
    return set(new.split()) if new else set()


def stored_among(uuids: Collection[str]) -> dict[str, Content]:
    """The messages with these uuids that are stored."""
    if not uuids:
        return {}
    connection = connections[STORE]
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            return _stored_on_sqlite(cursor, uuids)
        columns = COLUMNS.replace("uuid", "uuid::text", 1)
        cursor.execute(
            f"SELECT {columns} FROM {MESSAGES} WHERE uuid = ANY(%s::uuid[])", [list(uuids)]
        )
        return {row[0]: Content(*row) for row in cursor.fetchall()}


def _as_arrays(messages: Sequence[Content]) -> list[str]:
    """The columns as PostgreSQL spells arrays: psycopg2 would adapt each value by itself."""
    uuids, customer_ids, types, thousandths, timestamps, _ = zip(*messages, strict=True)
    spelled = {type: _quoted(type) for type in set(types)}
    columns = [
        uuids,
        map(str, customer_ids),
        map(spelled.__getitem__, types),
        map(str, thousandths),
        map(datetime.isoformat, timestamps),
    ]
    return [f"{{{','.join(column)}}}" for column in columns]


def _quoted(text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _store_and_count_on_sqlite(cursor: Any, messages: Iterable[Content]) -> set[str]:
    """Look, then insert: the transaction keeps every other writer out."""
    messages = list(messages)
    known = _stored_on_sqlite(cursor, [message.uuid for message in messages])
    new = [message for message in messages if message.uuid not in known]
    cursor.executemany(
        f"INSERT INTO {MESSAGES} ({COLUMNS}) VALUES (%s, %s, %s, %s, %s)",
        [
            (uuid.replace("-", ""), customer_id, type, thousandths, _as_text(timestamp))
            for uuid, customer_id, type, thousandths, timestamp, _ in new
        ],
    )
    cursor.executemany(
        f"INSERT INTO {TOTALS} ({TOTALS_COLUMNS}) VALUES (%s, %s, %s, 1, %s) {ADD_TO_TOTALS}",
        [(it.customer_id, it.type, str(it.timestamp.date()), it.thousandths) for it in new],
    )
    return {message.uuid for message in new}


def _stored_on_sqlite(cursor: Any, uuids: Iterable[str]) -> dict[str, Content]:
    keys = ",".join(f'"{uuid.replace("-", "")}"' for uuid in uuids)
    cursor.execute(
        f"SELECT {COLUMNS} FROM {MESSAGES} WHERE uuid IN (SELECT value FROM json_each(%s))",
        [f"[{keys}]"],
    )
    return {content.uuid: content for content in map(_read_from_sqlite, cursor.fetchall())}


def _read_from_sqlite(row: tuple[str, int, str, int, datetime]) -> Content:
    digits, customer_id, type, thousandths, timestamp = row
    uuid = "-".join([digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]])
    return Content(uuid, customer_id, type, thousandths, timestamp.replace(tzinfo=UTC))


def _as_text(instant: datetime) -> str:
    return str(instant.replace(tzinfo=None))
