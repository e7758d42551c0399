"""Years, months and days to narrow a list by.

Django's own date hierarchy asks for each date there is, which reads every row. This one asks for
the first and the last alone, and narrows by bounds that an index finds.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from django.db import models

DAY = timedelta(days=1)
# A single row of a far future or past shall not bring a thousand links.
MAX_YEARS = 15

Period = tuple[date, date]  # the first day, and the day after the last one


class DateLink(NamedTuple):
    title: str
    bounds: dict[str, str]


class DateLinks(NamedTuple):
    """Where a list can be narrowed to, and the way back."""

    back: DateLink | None
    choices: list[DateLink]


def read_bound(text: str | None) -> date | None:
    """The day of a bound in a list's address; None if it is none of ours."""
    try:
        return datetime.fromisoformat(text).date() if text else None
    except ValueError:
        return None


def date_links(field: models.Field, chosen: Period | None, whole: Period | None) -> DateLinks:  # type: ignore[type-arg]
    """The links from the chosen period, or into the whole of what there is."""
    period = chosen or whole
    if period is None:
        return DateLinks(None, [])
    spell = _speller(field)
    back = None
    if chosen:
        wider = _around(*chosen)
        back = DateLink(_title(wider), spell(wider)) if wider else DateLink("All dates", {})
    return DateLinks(back, [DateLink(_title(piece), spell(piece)) for piece in _pieces(*period)])


def _speller(field: models.Field) -> Callable[[Period], dict[str, str]]:  # type: ignore[type-arg]
    time = "T00:00Z" if isinstance(field, models.DateTimeField) else ""

    def spell(period: Period) -> dict[str, str]:
        first, after = period
        return {f"{field.name}__gte": f"{first}{time}", f"{field.name}__lt": f"{after}{time}"}

    return spell


def _pieces(first: date, after: date) -> list[Period]:
    """The years, months or days of a period, whichever is the next smaller."""
    last = after - DAY
    if first == last:
        return []
    if (first.year, first.month) == (last.year, last.month):
        days = range((after - first).days)
        return [(first + number * DAY, first + (number + 1) * DAY) for number in days]
    if first.year == last.year:
        return [_month(first.year, number) for number in range(first.month, last.month + 1)]
    earliest = max(first.year, last.year - MAX_YEARS + 1)
    return [_year(number) for number in range(earliest, last.year + 1)]


def _around(first: date, after: date) -> Period | None:
    """The month around a day, or the year around a month; None around a year."""
    length = (after - first).days
    if length == 1:
        return _month(first.year, first.month)
    return _year(first.year) if length <= 31 else None


def _month(year: int, month: int) -> Period:
    return date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)


def _year(year: int) -> Period:
    return date(year, 1, 1), date(year + 1, 1, 1)


def _title(period: Period) -> str:
    first, after = period
    length = (after - first).days
    if length == 1:
        return f"{first.day} {first:%B}"
    return f"{first:%B %Y}" if length <= 31 else f"{first.year}"


def day_of(instant: date | datetime) -> date:
    return instant.astimezone(UTC).date() if isinstance(instant, datetime) else instant
