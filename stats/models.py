import calendar
from abc import ABC, abstractmethod
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar, NamedTuple, Self

from django.db import models
from django.db.models.expressions import Combinable
from django.db.models.functions import Trunc

MAX_THOUSANDTHS = 10**12 - 1


class Sums(NamedTuple):
    messages: int
    amount_thousandths: int


NO_MESSAGES = Sums(0, 0)


# --- Messages --------------------------------------------------------------------------------


class MessageData(NamedTuple):
    """The content of a message, as it was sent or as it is stored."""

    uuid: str  # canonical form
    customer_id: int
    type: str
    amount_thousandths: int
    timestamp: datetime
    has_sender_timestamp: bool = True  # False: this service set the timestamp


class MessageQuerySet(models.QuerySet["Message"]):
    def last_timestamp(self) -> datetime | None:
        return self.order_by("-timestamp").values_list("timestamp", flat=True).first()

    def counted_in(self, *, customer_id: int, type: str, day: date) -> Self:
        """Return the messages that this daily total counts."""
        midnight = datetime.combine(day, time.min, tzinfo=UTC)
        return self.filter(
            customer_id=customer_id,
            type=type,
            timestamp__gte=midnight,
            timestamp__lt=midnight + timedelta(days=1),
        )

    def sums(self) -> Sums:
        sums = self.aggregate(models.Count("uuid"), models.Sum("amount_thousandths"))
        return Sums(sums["uuid__count"], sums["amount_thousandths__sum"] or 0)


class Message(models.Model):
    """A billable message, stored once per uuid. It never changes."""

    uuid = models.UUIDField("UUID", primary_key=True)
    customer_id = models.BigIntegerField()
    type = models.CharField(max_length=255, blank=True)
    amount_thousandths = models.BigIntegerField()
    timestamp = models.DateTimeField()  # when the message was processed

    objects = MessageQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(amount_thousandths__range=(0, MAX_THOUSANDTHS)),
                name="message_amount_in_range",
            )
        ]
        indexes = [
            models.Index(fields=["timestamp", "uuid"], name="message_timestamp_uuid"),
            models.Index(
                fields=["customer_id", "timestamp", "uuid"], name="message_customer_timestamp"
            ),
        ]

    def __str__(self) -> str:
        return f"message {self.uuid} of customer {self.customer_id}"

    @property
    def amount(self) -> str:
        return format_amount(self.amount_thousandths)

    @property
    def data(self) -> MessageData:
        return MessageData(
            str(self.uuid), self.customer_id, self.type, self.amount_thousandths, self.timestamp
        )


# --- Reports ---------------------------------------------------------------------------------


class PeriodStart(Trunc):
    """The first day of a date's period.

    On SQLite it is plain SQL: Django's ``Trunc`` would call a Python function for each row.
    """

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        day, parameters = compiler.compile(self.lhs)
        return f"date({day}, 'start of {self.kind}')", parameters


class Interval(ABC):
    """A way to split the rows of a report by time.

    A period is identified by its first day. To add an interval, write a subclass and add it to
    INTERVALS. The serializer, the JSON, the page and OpenAPI need no change.
    """

    name: ClassVar[str]  # the value of ``interval=``, and the key of a period in JSON
    example: ClassVar[str]  # a period in JSON: an ISO date, cut to this length
    max_drawn: ClassVar[int]  # maximum number of periods in a chart
    period: ClassVar[Combinable]  # the first day of the period, from the column ``day``

    @abstractmethod
    def number(self, day: date) -> int:
        """Return the number of the day's period. Consecutive periods have consecutive numbers."""

    @abstractmethod
    def first_day(self, number: int) -> date:
        """Return the first day of the period with this number."""

    @abstractmethod
    def last_day(self, first: date) -> date:
        """Return the last day of the period that begins on this day."""

    def format(self, first: date) -> str:
        return first.isoformat()[: len(self.example)]

    def periods(self, first: date, last: date) -> list[date]:
        """Return all periods between two days, or [] if there are more than ``max_drawn``."""
        numbers = range(self.number(first), self.number(last) + 1)
        if len(numbers) > self.max_drawn:
            return []
        return [self.first_day(number) for number in numbers]


class DayInterval(Interval):
    name = "day"
    example = "2026-01-31"
    max_drawn = 100
    period = models.F("day")

    def number(self, day: date) -> int:
        return day.toordinal()

    def first_day(self, number: int) -> date:
        return date.fromordinal(number)

    def last_day(self, first: date) -> date:
        return first


class MonthInterval(Interval):
    name = "month"
    example = "2026-01"
    max_drawn = 800
    period = PeriodStart("day", "month")

    def number(self, day: date) -> int:
        return day.year * 12 + day.month - 1

    def first_day(self, number: int) -> date:
        return date(number // 12, number % 12 + 1, 1)

    def last_day(self, first: date) -> date:
        return first.replace(day=calendar.monthrange(first.year, first.month)[1])


# From the shortest to the longest.
INTERVALS: dict[str, Interval] = {
    interval.name: interval for interval in (DayInterval(), MonthInterval())
}


class ReportQuery(NamedTuple):
    """The filters of a report and its interval. None means no restriction."""

    customer_id: int | None = None
    type: str | None = None
    first: date | None = None
    last: date | None = None
    interval: Interval | None = None


class Total(NamedTuple):
    """One row of a report."""

    customer_id: int
    type: str
    messages: int
    amount_thousandths: int
    period: date | None = None  # its first day; None if the report is not split


class DailyTotalQuerySet(models.QuerySet["DailyTotal"]):
    def matching(self, query: ReportQuery) -> Self:
        totals = self
        if query.customer_id is not None:
            totals = totals.filter(customer_id=query.customer_id)
        if query.type is not None:
            totals = totals.filter(type=query.type)
        return totals.between(query.first, query.last)

    def between(self, first: date | None, last: date | None) -> Self:
        """Return the totals from the first to the last day, both included. None: no bound."""
        totals = self.filter(day__gte=first) if first else self
        return totals.filter(day__lte=last) if last else totals

    def by_day(self) -> dict[date, Sums]:
        """Return the sums of each day that has messages."""
        return {
            row["day"]: Sums(row["message_count"], row["thousandths"])
            for row in self.summed_by("day")
        }

    def summed_by(
        self, *columns: str, interval: Interval | None = None
    ) -> models.QuerySet["DailyTotal", dict[str, Any]]:
        """Return the sums per combination of these columns, and per period with an interval."""
        rows = self.annotate(period=interval.period) if interval else self
        keys = [*columns, "period"] if interval else columns
        sums: models.QuerySet[DailyTotal, dict[str, Any]] = rows.values(*keys).annotate(
            message_count=models.Sum("messages"), thousandths=models.Sum("amount_thousandths")
        )
        return sums

    def set_total(self, sums: Sums, *, customer_id: int, type: str, day: date) -> None:
        """Set one daily total to these sums. Delete it if there are no messages."""
        if sums.messages:
            self.update_or_create(
                customer_id=customer_id, type=type, day=day, defaults=sums._asdict()
            )
        else:
            self.filter(customer_id=customer_id, type=type, day=day).delete()


class DailyTotal(models.Model):
    """The number and the amount of one customer's messages of one type on one UTC day."""

    customer_id = models.BigIntegerField()
    type = models.CharField(max_length=255, blank=True)
    day = models.DateField()
    messages = models.PositiveBigIntegerField()
    amount_thousandths = models.BigIntegerField()  # SQLite would add decimals as floats

    objects = DailyTotalQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer_id", "type", "day"], name="unique_daily_total"
            ),
            models.CheckConstraint(
                condition=models.Q(messages__gt=0), name="daily_total_has_messages"
            ),
            models.CheckConstraint(
                condition=models.Q(amount_thousandths__gte=0),
                name="daily_total_amount_not_negative",
            ),
        ]
        indexes = [models.Index(fields=["day"], name="daily_total_day")]

    def __str__(self) -> str:
        return f"customer {self.customer_id}, type {self.type}, {self.day}"

    @property
    def amount(self) -> str:
        return format_amount(self.amount_thousandths)


# --- Amounts ---------------------------------------------------------------------------------


def format_amount(thousandths: int) -> str:
    """Return the amount in the format of JSON: 1234.567."""
    return f"{thousandths // 1000}.{thousandths % 1000:03}"


def format_amount_grouped(thousandths: int) -> str:
    """Return the amount in the format of pages: 1,234.567."""
    return f"{thousandths // 1000:,}.{thousandths % 1000:03}"
