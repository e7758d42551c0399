"""The report of ``GET /stats``: its rows, sums and charts."""

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from django.db.models import F, Max, Min, Sum

from stats.models import (
    NO_MESSAGES,
    DailyTotal,
    DailyTotalQuerySet,
    Interval,
    ReportQuery,
    Sums,
    Total,
)

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
    """Data of the charts. They cover the whole report, not one page of rows."""

    summary: Summary
    largest: list[Total]  # the largest amounts; [] if the report is split by an interval
    periods: list[date]  # [] if the report is not split, or has too many periods for a chart
    series: list[Series]  # one per type; [] if there are no periods


class Report(NamedTuple):
    """The content of the page: one page of rows, and the charts of the whole report."""

    query: ReportQuery
    rows: list[Total]
    charts: ChartData
    next_link: str | None
    is_complete: bool  # this page has all rows of the report


def keyset(interval: Interval | None) -> list[str]:
    """Return the columns that order the rows of a report, for pagination."""
    return ["customer_id", "type", *(["day"] if interval else [])]


def keyset_values(total: Total, interval: Interval | None) -> list[Any]:
    """Return the keyset's values of the last daily total that this row includes."""
    last_day = [interval.last_day(total.period)] if interval and total.period else []
    return [total.customer_id, total.type, *last_day]


def report_rows(
    totals: DailyTotalQuerySet, interval: Interval | None, *, limit: int
) -> list[Total]:
    """Return the first rows of a report, by customer, type and period."""
    period = ["period"] if interval else []
    rows = totals.summed_by("customer_id", "type", interval=interval)
    return _to_totals(rows.order_by("customer_id", "type", *period)[:limit], *period)


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
    rows = totals.summed_by("customer_id", "type")
    return _to_totals(rows.order_by(LARGEST_FIRST, "customer_id", "type")[:MAX_BARS])


def largest_series(
    totals: DailyTotalQuerySet, interval: Interval, periods: list[date]
) -> list[Series]:
    """Return the types with the largest amounts, then the sums of all other types."""
    types = totals.summed_by("type").order_by(LARGEST_FIRST, "type").values_list("type", flat=True)
    largest = list(types[: MAX_SERIES + 1])
    has_others, largest = len(largest) > MAX_SERIES, largest[:MAX_SERIES]
    sums: dict[str | None, dict[date, Sums]] = {type: {} for type in largest}
    for row in totals.filter(type__in=largest).summed_by("type", interval=interval):
        sums[row["type"]][row["period"]] = Sums(row["message_count"], row["thousandths"])
    if has_others:
        others = totals.exclude(type__in=largest).summed_by(interval=interval)
        sums[None] = {
            row["period"]: Sums(row["message_count"], row["thousandths"]) for row in others
        }
    return [_to_series(type, sums[type], periods) for type in sums]


def _to_totals(rows: Any, *period: str) -> list[Total]:
    columns = ["customer_id", "type", "message_count", "thousandths", *period]
    return [Total(*row) for row in rows.values_list(*columns)]


def _to_series(type: str | None, sums: Mapping[date, Sums], periods: list[date]) -> Series:
    values = [sums.get(period, NO_MESSAGES) for period in periods]
    return Series(
        type,
        [value.messages for value in values],
        [value.amount_thousandths for value in values],
    )
