from datetime import date, datetime, timedelta
from typing import Any, Self
from uuid import UUID, uuid4

from django.db import models
from django.db.models.functions import Now


class Status(models.IntegerChoices):
    BOOKING = 1
    CANCELLATION = 2


class Reading(models.TextChoices):
    """Which of an event's two days a report is about."""

    NIGHT_OF_STAY = "night_of_stay", "night of stay"
    TIMESTAMP = "timestamp", "day of booking"


class Event(models.Model):
    """Our copy of one of the provider's events: one room-night booked or cancelled."""

    id = models.BigIntegerField(primary_key=True)  # the provider's
    hotel_id = models.BigIntegerField()
    timestamp = models.DateTimeField()
    rpg_status = models.PositiveSmallIntegerField("RPG status", choices=Status)
    night_of_stay = models.DateField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(rpg_status__in=Status.values),
                name="copy_booking_or_cancellation",
            )
        ]
        verbose_name = "copied event"
        verbose_name_plural = "copied events"

    def __str__(self) -> str:
        what = Status(self.rpg_status).label.lower()
        return f"{what} {self.id} of hotel {self.hotel_id} for {self.night_of_stay}"


class RejectedEvent(models.Model):
    """Something among the provider's events that cannot be used, once however often it came."""

    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the content
    content = models.TextField()  # JSON
    reason = models.CharField(max_length=255)
    rejected_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["rejected_at", "id"], name="rejected_order")]

    def __str__(self) -> str:
        return f"{self.reason}: {self.content[:80]}"


class DailyTotalQuerySet(models.QuerySet["DailyTotal"]):
    def of(self, hotel_id: int, reading: str, first: date, last: date) -> Self:
        return self.filter(hotel_id=hotel_id, reading=reading, day__range=(first, last))

    def hotels(self, most: int) -> list[int]:
        """The first hotels that have totals, by id: from one to the next along the index."""
        found: list[int] = []
        ids = self.order_by("hotel_id").values_list("hotel_id", flat=True)
        following = ids.first()
        while following is not None and len(found) < most:
            found.append(following)
            following = ids.filter(hotel_id__gt=following).first()
        return found

    def days(self, hotel_id: int, reading: str) -> "models.QuerySet[DailyTotal, date]":
        """The days on which a hotel has totals, in order."""
        own = self.filter(hotel_id=hotel_id, reading=reading).order_by("day")
        return own.values_list("day", flat=True)

    def years(self, hotel_id: int, reading: str, most: int) -> list[int]:
        """The first years in which a hotel has totals."""
        found: list[int] = []
        days = self.days(hotel_id, reading)
        following = days.first()
        while following is not None and len(found) < most:
            found.append(following.year)
            following = days.filter(day__gt=date(following.year, 12, 31)).first()
        return found

    def by_day(self, reading: str, first: date, last: date) -> dict[date, tuple[int, int]]:
        """How many bookings and cancellations all hotels had on each day that has any."""
        rows = self.filter(reading=reading, day__range=(first, last)).values_list("day")
        sums = rows.annotate(models.Sum("bookings"), models.Sum("cancellations"))
        return {day: (int(booked), int(cancelled)) for day, booked, cancelled in sums}


class DailyTotal(models.Model):
    """What a hotel's events of one day came to, in one of the two readings (UTC days)."""

    hotel_id = models.BigIntegerField()
    reading = models.CharField(max_length=13, choices=Reading)
    day = models.DateField()
    bookings = models.PositiveBigIntegerField(default=0)
    cancellations = models.PositiveBigIntegerField(default=0)

    objects = DailyTotalQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["hotel_id", "reading", "day"], name="one_total_a_hotel_and_day"
            ),
            models.CheckConstraint(
                condition=models.Q(reading__in=Reading.values), name="known_reading"
            ),
        ]
        indexes = [models.Index(fields=["day", "reading"], name="total_of_a_day_and_reading")]
        verbose_name = "day of bookings"
        verbose_name_plural = "bookings by day"

    def __str__(self) -> str:
        return f"hotel {self.hotel_id}, {self.day} ({self.reading})"


class IngestionQuerySet(models.QuerySet["Ingestion"]):
    def current(self) -> "Ingestion":
        """The state, or that of a dashboard that never ingested."""
        return self.filter(pk=1).first() or Ingestion(pk=1)

    def locked(self) -> "Ingestion":
        """The state, held until the transaction ends: whoever stores events waits here."""
        return self.select_for_update().get_or_create(pk=1)[0]

    def lease(self, length: timedelta) -> UUID | None:
        """Let this run be the only one for a while; None if another one is."""
        self.get_or_create(pk=1)
        free = models.Q(leased_until=None) | models.Q(leased_until__lt=Now())
        lease = uuid4()
        leased = self.filter(free, pk=1).update(lease=lease, leased_until=until_after(length))
        return lease if leased else None

    def renew(self, lease: UUID, length: timedelta) -> None:
        self.filter(pk=1, lease=lease).update(leased_until=until_after(length))

    def release(self, lease: UUID) -> None:
        self.filter(pk=1, lease=lease).update(leased_until=None)


class Ingestion(models.Model):
    """How far ingestion got: one row, changed in the same transactions as what it speaks of."""

    watermark = models.DateTimeField(
        null=True, help_text="Up to here events are in, by their timestamps."
    )
    recorded_through = models.DateTimeField(
        null=True, help_text="Up to here events are in, by when they reached the provider."
    )
    late_through = models.DateTimeField(
        null=True, help_text="What Recorded through will be when the pass for late events ends."
    )
    reread_through = models.DateTimeField(
        null=True, help_text="How far that pass is, or the rotation that reads all events again."
    )
    completed_at = models.DateTimeField(
        null=True, help_text="When the last run without failure began."
    )
    lease = models.UUIDField(null=True, help_text="The run at work.")
    leased_until = models.DateTimeField(
        null=True, help_text="Until then no other run begins; in the database's time."
    )
    version = models.UUIDField(
        default=uuid4, help_text="Another one after each change of a report."
    )

    objects = IngestionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="one_state_of_ingestion")
        ]
        verbose_name_plural = "ingestion"

    def __str__(self) -> str:
        return f"ingested through {self.watermark}"

    def advance(self, watermark: datetime) -> None:
        """Move the watermark on; it never goes back."""
        if self.watermark is None or watermark > self.watermark:
            self.watermark = watermark
            self.version = uuid4()


def until_after(length: timedelta) -> Any:
    """An instant so much ahead, in the database's own time."""
    return models.ExpressionWrapper(Now() + length, output_field=models.DateTimeField())
