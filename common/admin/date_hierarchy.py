"""Links that filter an admin list by year, month or day.

Django's own date hierarchy queries all distinct dates, which reads every row. These links need only
the first and the last date. Their filters use an index.
"""

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from django.db import models

DAY = timedelta(days=1)
# Without a limit, one row with a wrong year could cause a thousand links.
MAX_YEARS = 15

Period = tuple[date, date]  # first day, day after the last day


class DateLink(NamedTuple):
    title: str
    bounds: dict[str, str]


class DateLinks(NamedTuple):
    """Links to the parts of a period, and back to the period around it."""

    back: DateLink | None
    choices: list[DateLink]


def parse_bound(text: str | None) -> date | None:
    """Return the day of a bound in the URL, or None if it is missing or malformed."""
    try:
        return datetime.fromisoformat(text).date() if text else None
    except ValueError:
        return None


def date_links(field: models.Field, selected: Period | None, full: Period | None) -> DateLinks:  # type: ignore[type-arg]
    """Return the links for the selected period, or for the full period if none is selected."""
    period = selected or full
    if period is None:
        return DateLinks(None, [])
    back = None
    if selected:
        wider = _wider(*selected)
        back = _link(field, wider) if wider else DateLink("All dates", {})
    return DateLinks(back, [_link(field, part) for part in _parts(*period)])


def _link(field: models.Field, period: Period) -> DateLink:  # type: ignore[type-arg]
    first, after = period
    time = "T00:00Z" if isinstance(field, models.DateTimeField) else ""
    bounds = {f"{field.name}__gte": f"{first}{time}", f"{field.name}__lt": f"{after}{time}"}
    return DateLink(_title(period), bounds)


def _parts(first: date, after: date) -> list[Period]:
    """Return the years, months or days that the period consists of."""
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


def _wider(first: date, after: date) -> Period | None:
    """Return the month of a day, the year of a month, or None for a year."""
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
