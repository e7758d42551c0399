"""Comparison of the totals with the messages that they count."""

from datetime import date
from typing import NamedTuple

from django.db import connections, transaction

from stats.models import DailyTotal, Message
from stats.services.bulk_insert import DATABASE, MESSAGES, TOTALS

UTC_DAY = {
    "postgresql": "(timestamp AT TIME ZONE 'UTC')::date",
    "sqlite": "substr(timestamp, 1, 10)",
}


class Difference(NamedTuple):
    """A daily total, and the sums of its messages. They are 0 if total or messages are missing."""

    customer_id: int
    type: str
    day: date
    total_messages: int
    total_thousandths: int
    actual_messages: int
    actual_thousandths: int


def find_differences() -> list[Difference]:
    """Return each daily total that is wrong, by customer, type and day.

    One statement reads messages and totals from the same snapshot, also during writes.
    """
    connection = connections[DATABASE]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT customer_id, type, day, sum(counted), sum(counted_thousandths),
                sum(messages), sum(thousandths)
            FROM (
                SELECT customer_id, type, day, messages AS counted,
                    amount_thousandths AS counted_thousandths, 0 AS messages, 0 AS thousandths
                FROM {TOTALS}
                UNION ALL
                SELECT customer_id, type, {UTC_DAY[connection.vendor]}, 0, 0,
                    count(*), sum(amount_thousandths)
                FROM {MESSAGES} GROUP BY 1, 2, 3
            ) AS sides
            GROUP BY customer_id, type, day
            HAVING sum(counted) <> sum(messages) OR sum(counted_thousandths) <> sum(thousandths)
            ORDER BY customer_id, type, day
            """
        )
        return [
            Difference(customer_id, type, date.fromisoformat(str(day)), *map(int, sums))
            for customer_id, type, day, *sums in cursor.fetchall()
        ]


@transaction.atomic(using=DATABASE)
def repair_total(*, customer_id: int, type: str, day: date) -> None:
    """Set a daily total to the sums of its messages. On PostgreSQL, other writers wait."""
    if connections[DATABASE].vendor == "postgresql":
        with connections[DATABASE].cursor() as cursor:
            cursor.execute(f"LOCK TABLE {TOTALS} IN SHARE ROW EXCLUSIVE MODE")
    messages = Message.objects.counted_in(customer_id=customer_id, type=type, day=day)
    DailyTotal.objects.set_total(messages.sums(), customer_id=customer_id, type=type, day=day)
