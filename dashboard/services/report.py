from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from dashboard.models import Counts, DailyTotal, DateBasis, Ingestion

FIRST_YEAR, LAST_YEAR = 1, 9999
ONE_DAY = timedelta(days=1)


class Period(StrEnum):
    MONTH = "month"
    DAY = "day"
    YEAR = "year"

    def start(self, day: date) -> date:
        """Return the first day of the period that contains this day."""
        if self is Period.DAY:
            return day
        return day.replace(day=1) if self is Period.MONTH else day.replace(month=1, day=1)


class ReportQuery(NamedTuple):
    hotel_id: int
    period: Period
    year: int
    date_basis: DateBasis

    @property
    def first_day(self) -> date:
        return date(self.year, 1, 1)

    @property
    def last_day(self) -> date:
        return date(self.year, 12, 31)

    def starts(self) -> Iterator[date]:
        """Yield the first day of each period of the year."""
        if self.period is Period.DAY:
            days = (self.last_day - self.first_day).days + 1
            yield from (self.first_day + number * ONE_DAY for number in range(days))
        else:
            months = range(1, 13) if self.period is Period.MONTH else [1]
            yield from (date(self.year, month, 1) for month in months)


class ReportRow(NamedTuple):
    start: date  # the first day of the period
    counts: Counts


@dataclass(frozen=True)
class Report:
    """The counts of each period of a year, zeros included."""

    query: ReportQuery
    rows: list[ReportRow]
    ingested_through: datetime | None

    @cached_property
    def total(self) -> Counts:
        return Counts.sum(row.counts for row in self.rows)


def build_report(query: ReportQuery) -> Report:
    totals = DailyTotal.objects.of_hotel(query.hotel_id).by(query.date_basis)
    counts_by_day = totals.between(query.first_day, query.last_day).counts_by_day()
    groups: dict[date, list[Counts]] = {start: [] for start in query.starts()}
    for day, counts in counts_by_day.items():
        groups[query.period.start(day)].append(counts)
    return Report(
        query,
        [ReportRow(start, Counts.sum(group)) for start, group in groups.items()],
        Ingestion.objects.current().watermark,
    )


@dataclass(frozen=True)
class Comparison:
    """The same report of the year before, and the start of the hotel's data."""

    before: Report | None  # None for year 1
    known_from: date | None  # first day of the year before that the data covers; None: no day
    years: list[int]  # the first years with data


def compare_with_year_before(query: ReportQuery, *, max_years: int) -> Comparison:
    totals = DailyTotal.objects.of_hotel(query.hotel_id).by(query.date_basis)
    years = totals.first_years(max_years)
    if query.year == FIRST_YEAR:
        return Comparison(None, None, years)
    before = build_report(query._replace(year=query.year - 1))
    first_day = totals.first_day()
    if first_day is None or first_day.year >= query.year:
        return Comparison(before, None, years)
    return Comparison(before, max(first_day, before.query.first_day), years)
