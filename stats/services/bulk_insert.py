"""Hot path: store many messages and add them to the totals in a few SQL statements.

``python -m benchmarks stats`` compares it with the ORM. PostgreSQL gets one statement whose
parameters are arrays, one per column. SQLite uses ``executemany``.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connections, transaction

from stats.models import DailyTotal, Message, MessageData

DATABASE = "default"
MESSAGES, TOTALS = Message._meta.db_table, DailyTotal._meta.db_table
COLUMNS = "uuid, customer_id, type, amount_thousandths, timestamp"
TOTALS_COLUMNS = "customer_id, type, day, messages, amount_thousandths"

ADD_TO_TOTALS = f"""
    ON CONFLICT (customer_id, type, day) DO UPDATE SET
        messages = {TOTALS}.messages + excluded.messages,
        amount_thousandths = {TOTALS}.amount_thousandths + excluded.amount_thousandths
"""
# All writers insert in the order of uuids, then of totals' keys, so that they cannot deadlock.
INSERT_AND_COUNT = f"""
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


def insert_and_count(messages: Sequence[MessageData]) -> set[str]:
    """Insert the messages with a new uuid and add them to the totals. Return the new uuids.

    Each uuid may occur only once in ``messages``. The function runs one transaction of its own
    and commits it before it returns.
    """
    connection = connections[DATABASE]
    if connection.vendor != "postgresql":
        with transaction.atomic(using=DATABASE, durable=True), connection.cursor() as cursor:
            return _insert_and_count_on_sqlite(cursor, messages)
    if connection.in_atomic_block:
        raise RuntimeError("insert_and_count commits: it must not run in another transaction")
    with connection.cursor() as cursor:
        # One statement is one transaction: BEGIN and COMMIT would take a third of the time.
        cursor.execute(INSERT_AND_COUNT, _format_arrays(messages))
        (new_uuids,) = cursor.fetchone()
    return set(new_uuids.split()) if new_uuids else set()


def find_messages(uuids: Collection[str]) -> dict[str, MessageData]:
    """Return the stored messages with these uuids, by uuid."""
    if not uuids:
        return {}
    connection = connections[DATABASE]
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            return _find_messages_on_sqlite(cursor, uuids)
        columns = COLUMNS.replace("uuid", "uuid::text", 1)
        cursor.execute(
            f"SELECT {columns} FROM {MESSAGES} WHERE uuid = ANY(%s::uuid[])", [list(uuids)]
        )
        return {row[0]: MessageData(*row) for row in cursor.fetchall()}


def _format_arrays(messages: Sequence[MessageData]) -> list[str]:
    """Return one PostgreSQL array literal per column. psycopg2 would adapt value by value."""
    uuids, customer_ids, types, amounts, timestamps, _ = zip(*messages, strict=True)
    quoted = {type: _quote(type) for type in set(types)}
    columns = [
        uuids,
        map(str, customer_ids),
        map(quoted.__getitem__, types),
        map(str, amounts),
        map(datetime.isoformat, timestamps),
    ]
    return [f"{{{','.join(column)}}}" for column in columns]


def _quote(text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _insert_and_count_on_sqlite(cursor: Any, messages: Sequence[MessageData]) -> set[str]:
    """Select, then insert. The transaction is IMMEDIATE, so no other process writes meanwhile."""
    known = _find_messages_on_sqlite(cursor, [message.uuid for message in messages])
    new = [message for message in messages if message.uuid not in known]
    cursor.executemany(
        f"INSERT INTO {MESSAGES} ({COLUMNS}) VALUES (%s, %s, %s, %s, %s)",
        [
            (uuid.replace("-", ""), customer_id, type, amount, _format_instant(timestamp))
            for uuid, customer_id, type, amount, timestamp, _ in new
        ],
    )
    cursor.executemany(
        f"INSERT INTO {TOTALS} ({TOTALS_COLUMNS}) VALUES (%s, %s, %s, 1, %s) {ADD_TO_TOTALS}",
        [
            (customer_id, type, str(timestamp.date()), amount)
            for _, customer_id, type, amount, timestamp, _ in new
        ],
    )
    return {message.uuid for message in new}


def _find_messages_on_sqlite(cursor: Any, uuids: Iterable[str]) -> dict[str, MessageData]:
    keys = ",".join(f'"{uuid.replace("-", "")}"' for uuid in uuids)
    cursor.execute(
        f"SELECT {COLUMNS} FROM {MESSAGES} WHERE uuid IN (SELECT value FROM json_each(%s))",
        [f"[{keys}]"],
    )
    return {message.uuid: message for message in map(_parse_sqlite_row, cursor.fetchall())}


def _parse_sqlite_row(row: tuple[str, int, str, int, datetime]) -> MessageData:
    digits, customer_id, type, amount, timestamp = row
    uuid = "-".join([digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]])
    return MessageData(uuid, customer_id, type, amount, timestamp.replace(tzinfo=UTC))


def _format_instant(instant: datetime) -> str:
    return str(instant.replace(tzinfo=None))
