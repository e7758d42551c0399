"""What the page of ``GET /stats`` draws: all that was asked for, however many pages it fills."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.db.models import F, Max, Min, Sum

from stats.models import DailyTotalQuerySet, Interval

MAX_TYPES, MAX_DAYS, MAX_MONTHS, MAX_BARS = 5, 100, 800, 15
THE_OTHERS = None  # no type's name
LARGEST_FIRST = [F("thousandths").desc()]


class Series(NamedTuple):
    """A type's messages, or those of all smaller types, period by period."""

    type: str | None
    messages: list[int]
    thousandths: list[int]


class Overview(NamedTuple):
    messages: int
    thousandths: int
    first: date | None
    last: date | None


def overview(totals: DailyTotalQuerySet) -> Overview:
    """Exact sums, and the days from which to which they are."""
    found = totals.aggregate(
        sent=Sum("messages"),
        thousandths=Sum("amount_thousandths"),
        first=Min("day"),
        last=Max("day"),
    )
    messages, thousandths = int(found["sent"] or 0), int(found["thousandths"] or 0)
    return Overview(messages, thousandths, found["first"], found["last"])


def largest(totals: DailyTotalQuerySet) -> list[dict[str, Any]]:
    """The customers and types that came to most, in that order."""
    keys = ["customer_id", "type"]
    sums = totals.grouped(*keys).order_by(*LARGEST_FIRST, *keys)[:MAX_BARS]
    return [row | {"thousandths": int(row["thousandths"])} for row in sums]


def periods(first: date, last: date, interval: str) -> list[date]:
    """The first day of every period, empty ones too; none if they are too many to draw."""
    if interval == Interval.DAY:
        days = (last - first).days + 1
        return [first + timedelta(number) for number in range(days)] if days <= MAX_DAYS else []
    begin, end = first.year * 12 + first.month - 1, last.year * 12 + last.month - 1
    if end - begin >= MAX_MONTHS:
        return []
    return [date(month // 12, month % 12 + 1, 1) for month in range(begin, end + 1)]


def series(totals: DailyTotalQuerySet, interval: str, over: list[date]) -> list[Series]:
    """The types that came to most, period by period, and all others together as the last."""
    types = totals.grouped("type").order_by(*LARGEST_FIRST, "type").values_list("type", flat=True)
    names = list(types[: MAX_TYPES + 1])
    named = names[:MAX_TYPES]
    rows: dict[str, dict[date, Mapping[str, Any]]] = {name: {} for name in named}
    for row in totals.filter(type__in=named).grouped("type", interval):
        rows[row["type"]][row[interval]] = row
    found = [_series(name, rows[name], over) for name in named]
    if len(names) > MAX_TYPES:
        rest = totals.exclude(type__in=named).grouped(interval)
        found.append(_series(THE_OTHERS, {row[interval]: row for row in rest}, over))
    return found


def _series(type: str | None, rows: Mapping[date, Mapping[str, Any]], over: list[date]) -> Series:
    return Series(
        type,
        [int(rows[day]["message_count"]) if day in rows else 0 for day in over],
        [int(rows[day]["thousandths"]) if day in rows else 0 for day in over],
    )
