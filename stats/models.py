from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Self

from django.db import models
from django.db.models.functions import TruncMonth

MAX_THOUSANDTHS = 10**12 - 1


class Interval(models.TextChoices):
    """What the rows of a report are split by."""

    DAY = "day"
    MONTH = "month"


class MessageQuerySet(models.QuerySet["Message"]):
    def last_timestamp(self) -> datetime | None:
        return self.order_by("-timestamp").values_list("timestamp", flat=True).first()


class Message(models.Model):
    """A billable message, stored once by its uuid. A fact: it never changes."""

    uuid = models.UUIDField("UUID", primary_key=True)
    customer_id = models.BigIntegerField()
    type = models.CharField(max_length=255, blank=True)
    amount_thousandths = models.BigIntegerField()
    timestamp = models.DateTimeField()  # when it was processed

    objects = MessageQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(amount_thousandths__range=(0, MAX_THOUSANDTHS)),
                name="message_amount_in_range",
            )
        ]
        indexes = [
            models.Index(fields=["timestamp", "uuid"], name="message_order"),
            models.Index(
                fields=["customer_id", "timestamp", "uuid"], name="message_customer_order"
            ),
        ]

    def __str__(self) -> str:
        return f"message {self.uuid} of customer {self.customer_id}"

    @property
    def amount(self) -> str:
        return spoken_amount(self.amount_thousandths)


class FirstOfMonth(TruncMonth):
    """The first day of a date's month. SQLite finds it itself; Django asks Python, row by row."""

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        day, parameters = compiler.compile(self.lhs)
        return f"date({day}, 'start of month')", parameters


class DailyTotalQuerySet(models.QuerySet["DailyTotal"]):
    def asked(self, question: Mapping[str, Any]) -> Self:
        """What a question is about: a customer, a type, days ``from`` and ``to``, or all."""
        names = {name: question[name] for name in ("customer_id", "type") if name in question}
        return self.filter(**names).between(question.get("from"), question.get("to"))

    def between(self, first: date | None, last: date | None) -> Self:
        """The days from the first to the last, both included; None leaves that end open."""
        days = self.filter(day__gte=first) if first else self
        return days.filter(day__lte=last) if last else days

    def by_day(self) -> dict[date, tuple[int, int]]:
        """How many messages, and how many thousandths, each day had that had any."""
        sums = self.values_list("day").annotate(
            models.Sum("messages"), models.Sum("amount_thousandths")
        )
        return {day: (int(messages), int(thousandths)) for day, messages, thousandths in sums}

    def summed(self, interval: str | None = None) -> models.QuerySet["DailyTotal", dict[str, Any]]:
        """One row for every customer and message type (and day or month), in that order."""
        keys = ["customer_id", "type", *([interval] if interval else [])]
        return self.grouped(*keys).order_by(*keys)

    def grouped(self, *keys: str) -> models.QuerySet["DailyTotal", dict[str, Any]]:
        """One row for every combination of these: columns, or ``month``."""
        rows = self.annotate(month=FirstOfMonth("day")) if Interval.MONTH in keys else self
        sums: models.QuerySet[DailyTotal, dict[str, Any]] = rows.values(*keys).annotate(
            message_count=models.Sum("messages"), thousandths=models.Sum("amount_thousandths")
        )
        return sums


class DailyTotal(models.Model):
    """What one customer's messages of one type came to on one day (UTC)."""

    customer_id = models.BigIntegerField()
    type = models.CharField(max_length=255, blank=True)
    day = models.DateField()
    messages = models.PositiveBigIntegerField()
    amount_thousandths = models.BigIntegerField()  # SQLite would add decimals as floats

    objects = DailyTotalQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer_id", "type", "day"], name="one_total_a_customer_type_and_day"
            ),
            models.CheckConstraint(condition=models.Q(messages__gt=0), name="total_has_messages"),
            models.CheckConstraint(
                condition=models.Q(amount_thousandths__gte=0), name="total_amount_not_negative"
            ),
        ]
        indexes = [models.Index(fields=["day"], name="total_of_a_day")]
        verbose_name = "total of a day"
        verbose_name_plural = "totals by day"

    def __str__(self) -> str:
        return f"customer {self.customer_id}, type {self.type}, {self.day}"

    @property
    def amount(self) -> str:
        return spoken_amount(self.amount_thousandths)


def spoken_amount(thousandths: int) -> str:
    """An amount as a decimal with its three places."""
    return f"{thousandths // 1000}.{thousandths % 1000:03}"


def grouped_amount(thousandths: int) -> str:
    """An amount as people read it: 1,234.567."""
    return f"{thousandths // 1000:,}.{thousandths % 1000:03}"
