"""The totals recomputed from the messages, and what differs."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from django.db import connections, transaction
from django.db.models import Count, Sum

from stats.models import DailyTotal, Message
from stats.services.bulk_insert import MESSAGES, STORE, TOTALS

DAY_OF = {
    "postgresql": "(timestamp AT TIME ZONE 'UTC')::date",
    "sqlite": "substr(timestamp, 1, 10)",
}


class Difference(NamedTuple):
    """One day's total, and what its messages come to; zeros where there is none."""

    customer_id: int
    type: str
    day: date
    counted: int
    counted_thousandths: int
    messages: int
    thousandths: int


def differences() -> list[Difference]:
    """Each total that its messages contradict, by customer, type and day.

    One statement: it sees messages and totals of one moment, whoever writes meanwhile.
    """
    connection = connections[STORE]
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
                SELECT customer_id, type, {DAY_OF[connection.vendor]}, 0, 0,
                    count(*), sum(amount_thousandths)
                FROM {MESSAGES} GROUP BY 1, 2, 3
            ) AS sides
            GROUP BY customer_id, type, day
            HAVING sum(counted) <> sum(messages) OR sum(counted_thousandths) <> sum(thousandths)
            ORDER BY customer_id, type, day
            """
        )
        return [
            Difference(customer_id, type, date.fromisoformat(str(day)), *map(int, numbers))
            for customer_id, type, day, *numbers in cursor.fetchall()
        ]


@transaction.atomic(using=STORE)
def mend(difference: Difference) -> None:
    """Set a total to what its messages come to now; whoever counts messages waits meanwhile."""
    if connections[STORE].vendor == "postgresql":
        with connections[STORE].cursor() as cursor:
            cursor.execute(f"LOCK TABLE {TOTALS} IN SHARE ROW EXCLUSIVE MODE")
    customer_id, type, day = difference[:3]
    midnight = datetime.combine(day, time.min, tzinfo=UTC)
    sums = Message.objects.filter(
        customer_id=customer_id,
        type=type,
        timestamp__gte=midnight,
        timestamp__lt=midnight + timedelta(days=1),
    ).aggregate(messages=Count("uuid"), amount_thousandths=Sum("amount_thousandths"))
    key: dict[str, Any] = {"customer_id": customer_id, "type": type, "day": day}
    if sums["messages"]:
        DailyTotal.objects.update_or_create(**key, defaults=sums)
    else:
        DailyTotal.objects.filter(**key).delete()
