"""The report of ``GET /stats``: its rows, and what its page draws."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from django.db.models import F, Max, Min, Sum

from stats.models import DailyTotal, DailyTotalQuerySet, Interval, ReportQuery, Total

MAX_SERIES, MAX_BARS = 5, 15
LARGEST_FIRST = F("thousandths").desc()


class Summary(NamedTuple):
    """The sums of all totals that match, and their first and last day."""

    messages: int
    amount_thousandths: int
    first: date | None
    last: date | None


class Series(NamedTuple):
    """The sums of one type, one value per period. ``type`` is None for all smaller types."""

    type: str | None
    messages: list[int]
    amount_thousandths: list[int]


class ChartData(NamedTuple):
    """What the page draws: all totals that match, not only those of one page of rows."""

    summary: Summary
    largest: list[Total]  # the largest amounts, if the report is not split
    periods: list[date]  # if it is split; [] if they are too many to draw
    series: list[Series]  # the same


class Report(NamedTuple):
    """The content of the page: one page of rows, and the charts of the whole report."""

    query: ReportQuery
    rows: list[Total]
    charts: ChartData
    next_link: str | None
    is_complete: bool  # this page has all rows of the report


def keyset(interval: Interval | None) -> list[str]:
    """Return the columns whose order the rows of a report follow, for pagination."""
    return ["customer_id", "type", *(["day"] if interval else [])]


def keyset_values(total: Total, interval: Interval | None) -> list[Any]:
    """Return the keyset's values in the last daily total of this row."""
    last_day = [interval.last_day(total.period)] if interval and total.period else []
    return [total.customer_id, total.type, *last_day]


def report_rows(
    totals: DailyTotalQuerySet, interval: Interval | None, *, limit: int
) -> list[Total]:
    """Return the first rows of a report, by customer, type and period."""
    columns = ["customer_id", "type"]
    order = [*columns, "period"] if interval else columns
    rows = totals.summed_by(*columns, interval=interval).order_by(*order)
    return list(_as_totals(rows[:limit]))


def chart_data(query: ReportQuery) -> ChartData:
    totals = DailyTotal.objects.matching(query)
    summary = summarize(totals)
    if query.interval is None:
        return ChartData(summary, largest_totals(totals), [], [])
    if summary.first is None or summary.last is None:
        return ChartData(summary, [], [], [])
    periods = query.interval.periods(summary.first, summary.last)
    series = largest_series(totals, query.interval, periods) if periods else []
    return ChartData(summary, [], periods, series)


def summarize(totals: DailyTotalQuerySet) -> Summary:
    sums = totals.aggregate(Sum("messages"), Sum("amount_thousandths"), Min("day"), Max("day"))
    return Summary(
        sums["messages__sum"] or 0,
        sums["amount_thousandths__sum"] or 0,
        sums["day__min"],
        sums["day__max"],
    )


def largest_totals(totals: DailyTotalQuerySet) -> list[Total]:
    """Return the customers and types with the largest amounts, in that order."""
    columns = ["customer_id", "type"]
    rows = totals.summed_by(*columns).order_by(LARGEST_FIRST, *columns)
    return list(_as_totals(rows[:MAX_BARS]))


def largest_series(
    totals: DailyTotalQuerySet, interval: Interval, periods: list[date]
) -> list[Series]:
    """Return the types with the largest amounts, then the sums of all other types."""
    types = totals.summed_by("type").order_by(LARGEST_FIRST, "type").values_list("type", flat=True)
    largest = list(types[: MAX_SERIES + 1])
    has_others, largest = len(largest) > MAX_SERIES, largest[:MAX_SERIES]
    rows: dict[str, dict[date, Mapping[str, Any]]] = {type: {} for type in largest}
    for row in totals.filter(type__in=largest).summed_by("type", interval=interval):
        rows[row["type"]][row["period"]] = row
    series = [_series(type, rows[type], periods) for type in largest]
    if has_others:
        others = totals.exclude(type__in=largest).summed_by(interval=interval)
        series.append(_series(None, {row["period"]: row for row in others}, periods))
    return series


def _as_totals(rows: Any) -> Iterator[Total]:
    for row in rows:
        yield Total(
            row["customer_id"],
            row["type"],
            row.get("period"),
            row["message_count"],
            row["thousandths"],
        )


def _series(
    type: str | None, rows: Mapping[date, Mapping[str, Any]], periods: list[date]
) -> Series:
    return Series(
        type,
        [rows[period]["message_count"] if period in rows else 0 for period in periods],
        [rows[period]["thousandths"] if period in rows else 0 for period in periods],
    )
