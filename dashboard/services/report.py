"""Bookings of a hotel and year: what ``GET /dashboard`` answers."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from dashboard.models import DailyTotal


class Question(NamedTuple):
    hotel_id: int
    period: str  # year, month or day
    year: int
    by: str  # a Reading


def report(question: Question, ingested_through: datetime | None) -> dict[str, Any]:
    """Every day or month of the year, or the year, with its counts, zeros included."""
    counts: dict[str | int, list[int]] = {bucket: [0, 0] for bucket in _buckets(question)}
    first, last = date(question.year, 1, 1), date(question.year, 12, 31)
    totals = DailyTotal.objects.of(question.hotel_id, question.by, first, last)
    for day, bookings, cancellations in totals.values_list("day", "bookings", "cancellations"):
        sums = counts[_bucket(question.period, day)]
        sums[0] += bookings
        sums[1] += cancellations
    total = [sum(sums[0] for sums in counts.values()), sum(sums[1] for sums in counts.values())]
    return {
        **question._asdict(),
        "data": [{question.period: bucket, **_named(*sums)} for bucket, sums in counts.items()],
        "total": _named(*total),
        "ingested_through": ingested_through,
    }


def _buckets(question: Question) -> Iterator[str | int]:
    """The names of the year's days or months, or the year, in order."""
    if question.period == "year":
        yield question.year
    elif question.period == "month":
        yield from (f"{question.year:04}-{month:02}" for month in range(1, 13))
    else:
        day, a_day = date(question.year, 1, 1), timedelta(days=1)
        days = (date(question.year, 12, 31) - day).days + 1
        yield from ((day + number * a_day).isoformat() for number in range(days))


def _bucket(period: str, day: date) -> str | int:
    if period == "year":
        return day.year
    return day.isoformat() if period == "day" else day.isoformat()[:7]


def _named(bookings: int, cancellations: int) -> dict[str, int]:
    return {
        "bookings": bookings,
        "cancellations": cancellations,
        "net": bookings - cancellations,
    }
