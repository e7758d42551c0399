import hashlib
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, Self
from uuid import UUID, uuid4

from django.db import models
from django.db.models.functions import Now


class EventStatus(models.IntegerChoices):
    BOOKING = 1
    CANCELLATION = 2


class DateBasis(models.TextChoices):
    """The two dates of an event by which it can be counted."""

    STAY_DATE = "night_of_stay", "night of stay"
    BOOKING_DATE = "timestamp", "day of booking"


class Counts(NamedTuple):
    """The room-nights of one day of a hotel, or of several days together.

    Each field is a column of :class:`DailyTotal`.
    """

    bookings: int = 0
    cancellations: int = 0

    @property
    def net(self) -> int:
        return self.bookings - self.cancellations

    @classmethod
    def sum(cls, counts: Iterable["Counts"]) -> "Counts":
        return cls(*map(sum, zip(*counts, strict=True)))


class Measure(NamedTuple):
    """A number that reports show, with its names.

    Totals, reports, CSV, OpenAPI, the page and the admin use these names.
    """

    name: str  # an attribute of Counts; also the JSON key, the CSV column and the CSS class
    label: str  # after a number: 3 booked
    title: str

    def of(self, counts: Counts) -> int:
        value: int = getattr(counts, self.name)
        return value


MEASURES = [
    Measure("bookings", "booked", "Room-nights booked"),
    Measure("cancellations", "cancelled", "Cancelled"),
    Measure("net", "net", "Net"),
]


class Event(models.Model):
    """Our copy of an event of the provider: a booking or a cancellation of one room-night."""

    id = models.BigIntegerField(primary_key=True)  # the provider's
    hotel_id = models.BigIntegerField()
    timestamp = models.DateTimeField()
    rpg_status = models.PositiveSmallIntegerField("RPG status", choices=EventStatus)
    night_of_stay = models.DateField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(rpg_status__in=EventStatus.values), name="copied_event_status"
            )
        ]
        verbose_name = "copied event"
        verbose_name_plural = "copied events"

    def __str__(self) -> str:
        status = EventStatus(self.rpg_status).label.lower()
        return f"{status} {self.id} of hotel {self.hotel_id} for {self.night_of_stay}"


class RejectedEventQuerySet(models.QuerySet["RejectedEvent"]):
    def record(self, reasons: Mapping[str, str], *, at: datetime) -> int:
        """Store rejected contents with their reasons. Return how many contents are new."""
        rows = {digest(content): content for content in reasons}
        for known in self.filter(digest__in=rows).values_list("digest", flat=True):
            del rows[known]
        self.bulk_create(
            RejectedEvent(digest=key, content=content, reason=reasons[content], rejected_at=at)
            for key, content in rows.items()
        )
        return len(rows)


class RejectedEvent(models.Model):
    """Content from the provider that is not a valid event. The same content is stored once."""

    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the content
    content = models.TextField()  # JSON
    reason = models.CharField(max_length=255)
    rejected_at = models.DateTimeField()

    objects = RejectedEventQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["rejected_at", "id"], name="rejected_event_order")]

    def __str__(self) -> str:
        return f"{self.reason}: {self.content[:80]}"


def digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


class TotalKey(NamedTuple):
    """The unique key of a daily total.

    ``date_basis`` is a plain string, because the hash of a :class:`DateBasis` differs from the hash
    of its value.
    """

    hotel_id: int
    date_basis: str
    day: date


class DailyTotalQuerySet(models.QuerySet["DailyTotal"]):
    def of_hotel(self, hotel_id: int) -> Self:
        return self.filter(hotel_id=hotel_id)

    def by(self, date_basis: str) -> Self:
        return self.filter(date_basis=date_basis)

    def between(self, first: date, last: date) -> Self:
        return self.filter(day__range=(first, last))

    def counts_by_day(self) -> dict[date, Counts]:
        """Return the sums of all hotels for each day that has totals."""
        sums = self.values_list("day").annotate(*map(models.Sum, Counts._fields))
        return {day: Counts(*map(int, values)) for day, *values in sums}

    def counts_by_key(self) -> dict[TotalKey, Counts]:
        return {total.key: total.counts for total in self.iterator()}

    def first_hotels(self, limit: int) -> list[int]:
        """Return the lowest ids of hotels that have totals, by one short index query per id."""
        hotels: list[int] = []
        ids = self.order_by("hotel_id").values_list("hotel_id", flat=True)
        hotel_id = ids.first()
        while hotel_id is not None and len(hotels) < limit:
            hotels.append(hotel_id)
            hotel_id = ids.filter(hotel_id__gt=hotel_id).first()
        return hotels

    def first_day(self) -> date | None:
        return self._days().first()

    def first_years(self, limit: int) -> list[int]:
        """Return the first years that have totals, by one short index query per year."""
        years: list[int] = []
        day = self.first_day()
        while day is not None and len(years) < limit:
            years.append(day.year)
            day = self._days().filter(day__gt=date(day.year, 12, 31)).first()
        return years

    def _days(self) -> "models.QuerySet[DailyTotal, date]":
        return self.order_by("day").values_list("day", flat=True)


class DailyTotal(models.Model):
    """The events of a hotel on one UTC day, counted by one of their two dates."""

    hotel_id = models.BigIntegerField()
    date_basis = models.CharField(max_length=13, choices=DateBasis)
    day = models.DateField()
    bookings = models.PositiveBigIntegerField(default=0)
    cancellations = models.PositiveBigIntegerField(default=0)

    objects = DailyTotalQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=TotalKey._fields, name="unique_hotel_daily_total"),
            models.CheckConstraint(
                condition=models.Q(date_basis__in=DateBasis.values), name="known_date_basis"
            ),
        ]
        indexes = [models.Index(fields=["day", "date_basis"], name="hotel_daily_total_day")]
        verbose_name = "day of bookings"
        verbose_name_plural = "bookings by day"

    def __str__(self) -> str:
        return f"hotel {self.hotel_id}, {self.day} ({self.date_basis})"

    @property
    def key(self) -> TotalKey:
        return TotalKey(self.hotel_id, self.date_basis, self.day)

    @property
    def counts(self) -> Counts:
        return Counts(*(getattr(self, name) for name in Counts._fields))


class IngestionQuerySet(models.QuerySet["Ingestion"]):
    def current(self) -> "Ingestion":
        """Return the state, or an unsaved one before the first run."""
        return self.filter(pk=1).first() or Ingestion(pk=1)

    def locked(self) -> "Ingestion":
        """Return the state, locked until the transaction ends. Other writers wait."""
        return self.select_for_update().get_or_create(pk=1)[0]

    def acquire_lease(self, duration: timedelta) -> UUID | None:
        """Reserve ingestion for one run. Return the lease, or None if another run has a lease."""
        self.get_or_create(pk=1)
        is_free = models.Q(leased_until=None) | models.Q(leased_until__lt=Now())
        lease = uuid4()
        leased = self.filter(is_free, pk=1).update(lease=lease, leased_until=_now_plus(duration))
        return lease if leased else None

    def renew_lease(self, lease: UUID, duration: timedelta) -> None:
        self.filter(pk=1, lease=lease).update(leased_until=_now_plus(duration))

    def release_lease(self, lease: UUID) -> None:
        self.filter(pk=1, lease=lease).update(leased_until=None)


class Ingestion(models.Model):
    """The progress of ingestion: one row, updated in the transactions that store events."""

    watermark = models.DateTimeField(
        null=True, help_text="All events with timestamps up to here are stored."
    )
    recorded_through = models.DateTimeField(
        null=True, help_text="All events that the provider recorded up to here are stored."
    )
    next_recorded_through = models.DateTimeField(
        null=True, help_text="`recorded_through` gets this value at the end of the current pass."
    )
    scan_position = models.DateTimeField(
        null=True,
        help_text="The next run continues the unfinished pass, or the repeated reading of all "
        "events, at this timestamp.",
    )
    completed_at = models.DateTimeField(
        null=True, help_text="Start of the last run that finished without an error."
    )
    lease = models.UUIDField(null=True, help_text="Identifies the current run.")
    leased_until = models.DateTimeField(
        null=True, help_text="No other run starts before this time (clock of the database)."
    )
    version = models.UUIDField(default=uuid4, help_text="Changes whenever a report changes.")

    objects = IngestionQuerySet.as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="single_ingestion")]
        verbose_name_plural = "ingestion"

    def __str__(self) -> str:
        return f"ingested through {self.watermark}"

    def advance_watermark(self, watermark: datetime) -> None:
        """Set the watermark, unless it is already later."""
        if self.watermark is None or watermark > self.watermark:
            self.watermark = watermark
            self.version = uuid4()


def _now_plus(duration: timedelta) -> Any:
    """Return the instant after this duration, by the database's clock."""
    return models.ExpressionWrapper(Now() + duration, output_field=models.DateTimeField())
