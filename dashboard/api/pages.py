"""``GET /dashboard`` in a browser: the browsable API with a form, a chart and a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import ceil
from typing import Any, NamedTuple
from urllib.parse import urlencode

from common.api.browsable import BrowsableAPIRenderer
from common.api.charts import Axis, axis
from dashboard.api.serializers import format_start
from dashboard.models import MEASURES, Counts, DateBasis
from dashboard.services.report import (
    FIRST_YEAR,
    LAST_YEAR,
    Comparison,
    Period,
    Report,
    ReportQuery,
)

MAX_HOTELS, MAX_HOTEL_LINKS, MAX_YEARS = 200, 20, 30

# Sizes in units of the SVG.
WIDTH, HEIGHT = 960, 260
CELL = 17
MAX_BAR_WIDTH = 60
LEVELS = 4
GROUP_SHARE = 0.72  # the bars of a group take this share of its width
# In widths of a bar. The bar of the year before has no margin, so it is visible behind the other.
BAR_GAP, BAR_MARGIN = 0.1, 0.15


@dataclass(frozen=True)
class PageData:
    """The data that the view loads for the page. ``report`` is None if no hotel is chosen."""

    hotels: list[int]
    report: Report | None = None
    comparison: Comparison | None = None


class ReportPageRenderer(BrowsableAPIRenderer):
    template = "dashboard/report.html"

    def get_context(
        self, data: Any, accepted_media_type: str | None, renderer_context: Mapping[str, Any]
    ) -> dict[str, Any]:
        context = super().get_context(data, accepted_media_type, renderer_context)
        context["parameters"] = context["request"].query_params
        context["is_chooser"] = not data
        page: PageData | None = renderer_context["view"].page
        if page is not None:
            context |= chooser_context(page)
            if page.report is not None and page.comparison is not None:
                context |= report_context(page.report, page.comparison)
        return context


class Link(NamedTuple):
    label: Any
    url: str
    is_current: bool


def chooser_context(page: PageData) -> dict[str, Any]:
    """Return the hotels for the form, and links to the first ones."""
    query = page.report.query if page.report else None
    return {
        "hotels": page.hotels,
        "hotel_links": [
            Link(
                hotel_id,
                _url(query, hotel_id=hotel_id) if query else f"?hotel_id={hotel_id}",
                is_current=query is not None and hotel_id == query.hotel_id,
            )
            for hotel_id in page.hotels[:MAX_HOTEL_LINKS]
        ],
        "has_more_hotels": len(page.hotels) > MAX_HOTEL_LINKS,
    }


def report_context(report: Report, comparison: Comparison) -> dict[str, Any]:
    query, before, known_from = report.query, comparison.before, comparison.known_from
    has_events = any(report.total)
    rows = compare_rows(report, before)
    return {
        "report": report,
        "query": query,
        "before": before,
        "rows": rows,
        "total": ComparedRow("Total", report.total, before.total if before else None),
        "measures": MEASURES,
        "figures": figures(report.total, before.total if before and known_from else None),
        "known_late": known_from if known_from and _day_index(known_from) else None,
        "is_empty": not has_events,
        **page_links(query, comparison.years),
        **(_chart_context(report, before, rows) if has_events else {}),
    }


def page_links(query: ReportQuery, years: list[int]) -> dict[str, Any]:
    return {
        "years": [Link(year, _url(query, year=year), year == query.year) for year in years],
        "periods": [
            Link(period.value, _url(query, period=period.value), period is query.period)
            for period in Period
        ],
        "date_bases": [
            Link(basis.label, _url(query, by=basis.value), basis is query.date_basis)
            for basis in DateBasis
        ],
        "previous": _url(query, year=query.year - 1) if query.year > FIRST_YEAR else None,
        "next": _url(query, year=query.year + 1) if query.year < LAST_YEAR else None,
        "csv": _url(query, format="csv"),
    }


def _url(query: ReportQuery, **changes: Any) -> str:
    parameters = {
        "hotel_id": query.hotel_id,
        "year": query.year,
        "period": query.period.value,
        "by": query.date_basis.value,
    }
    return f"?{urlencode(parameters | changes)}"


class Figure(NamedTuple):
    title: str
    value: str
    change: str | None  # since the year before


def figures(total: Counts, before: Counts | None) -> list[Figure]:
    return [
        Figure(
            measure.title,
            f"{measure.of(total):,}",
            f"{measure.of(total) - measure.of(before):+,}" if before else None,
        )
        for measure in MEASURES
    ]


class ComparedRow(NamedTuple):
    """A line of the table."""

    name: str
    counts: Counts
    before: Counts | None  # of the same period a year before

    @property
    def numbers(self) -> list[int]:
        return [measure.of(self.counts) for measure in MEASURES]


def compare_rows(report: Report, before: Report | None) -> list[ComparedRow]:
    """Return each row with the counts of the same period of the year before.

    29 February may have no such counts.
    """
    rows_before = before.rows if before else []
    counts_before = {(row.start.month, row.start.day): row.counts for row in rows_before}
    return [
        ComparedRow(
            str(format_start(report.query.period, row.start)),
            row.counts,
            counts_before.get((row.start.month, row.start.day)),
        )
        for row in report.rows
    ]


def describe(counts: Counts) -> str:
    """Return the numbers as text: 3 booked, 1 cancelled, 2 net."""
    return ", ".join(f"{measure.of(counts):,} {measure.label}" for measure in MEASURES)


def _chart_context(
    report: Report, before: Report | None, rows: list[ComparedRow]
) -> dict[str, Any]:
    if report.query.period is Period.DAY:
        return calendar_context([report, before] if before else [report])
    return bars_context(report, before, rows)


class Rectangle(NamedTuple):
    x: float
    y: float
    width: float
    height: float


class Bar(NamedTuple):
    css_class: str
    shape: Rectangle
    before: Rectangle | None


class BarGroup(NamedTuple):
    """The bars of one month, or of the year."""

    title: str
    tip: str
    middle: float
    bars: list[Bar]


def bars_context(report: Report, before: Report | None, rows: list[ComparedRow]) -> dict[str, Any]:
    """Return the geometry of the bars. Each is in front of the bar of the year before."""
    all_counts = [row.counts for row in rows] + [row.before for row in rows if row.before]
    scale = axis([measure.of(counts) for counts in all_counts for measure in MEASURES], HEIGHT)
    width = WIDTH / len(rows)
    return {
        "groups": [
            BarGroup(
                row.start.strftime("%b") if report.query.period is Period.MONTH else compared.name,
                _bars_tip(compared, before),
                round((index + 0.5) * width, 1),
                _bars(compared, scale, middle=(index + 0.5) * width, group_width=width),
            )
            for index, (row, compared) in enumerate(zip(report.rows, rows, strict=True))
        ],
        "grid": scale.lines(lambda value: f"{value:,}"),
        "zero": scale.y(0),
        "width": WIDTH,
        "height": HEIGHT,
    }


def _bars_tip(row: ComparedRow, before: Report | None) -> str:
    tip = f"{row.name}: {describe(row.counts)}"
    if before is None or row.before is None:
        return tip
    numbers = ", ".join(f"{measure.of(row.before):,}" for measure in MEASURES)
    return f"{tip} ({before.query.year}: {numbers})"


def _bars(row: ComparedRow, scale: Axis, *, middle: float, group_width: float) -> list[Bar]:
    width = min(group_width * GROUP_SHARE / len(MEASURES), MAX_BAR_WIDTH)
    step = 1 + BAR_GAP
    left = middle - (len(MEASURES) * step - BAR_GAP) / 2 * width
    bars = []
    for index, measure in enumerate(MEASURES):
        x = left + index * step * width
        shape = _rectangle(
            scale, measure.of(row.counts), x + BAR_MARGIN * width, width * (1 - 2 * BAR_MARGIN)
        )
        before = _rectangle(scale, measure.of(row.before), x, width) if row.before else None
        bars.append(Bar(measure.name, shape, before))
    return bars


def _rectangle(scale: Axis, value: int, x: float, width: float) -> Rectangle:
    return Rectangle(x=round(x, 1), width=round(width, 1), **scale.bar(value))


class Cell(NamedTuple):
    tip: str
    x: int
    y: int
    level: str


class AxisLabel(NamedTuple):
    text: str
    position: int


class Calendar(NamedTuple):
    """A square for each day, a column for each week."""

    year: int
    description: str
    cells: list[Cell]
    months: list[AxisLabel]
    weekdays: list[AxisLabel]


class Step(NamedTuple):
    level: int
    minimum: int


def calendar_context(reports: list[Report]) -> dict[str, Any]:
    """Return the geometry of one calendar per year. All calendars have the same colour scale."""
    highest = max(1, *(row.counts.net for report in reports for row in report.rows))
    return {
        "calendars": [calendar(report, highest) for report in reports],
        "steps": [Step(level, _minimum(level, highest)) for level in range(1, LEVELS + 1)],
    }


def calendar(report: Report, highest: int) -> Calendar:
    year = report.query.year
    offset = date(year, 1, 1).weekday()
    months = [date(year, month, 1) for month in range(1, 13)]
    return Calendar(
        year,
        describe(report.total),
        [
            Cell(
                f"{row.start.isoformat()}: {describe(row.counts)}",
                (index + offset) // 7 * CELL,
                (index + offset) % 7 * CELL,
                level(row.counts.net, highest),
            )
            for index, row in enumerate(report.rows)
        ],
        [
            AxisLabel(first.strftime("%b"), (_day_index(first) + offset) // 7 * CELL)
            for first in months
        ],
        [AxisLabel(name, day * CELL) for name, day in (("Mon", 0), ("Thu", 3), ("Sun", 6))],
    )


def level(net: int, highest: int) -> str:
    """Return the colour level of a day: 0 to 4, or "less" for a negative number."""
    return "less" if net < 0 else str(ceil(net * LEVELS / highest))


def _minimum(level: int, highest: int) -> int:
    """Return the lowest number of this level."""
    return highest * (level - 1) // LEVELS + 1


def _day_index(day: date) -> int:
    return day.timetuple().tm_yday - 1
