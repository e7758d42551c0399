"""``GET /stats`` in a browser: a page with a form, charts and a table."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from common.api.browsable import BrowsableAPIRenderer
from common.api.charts import axis
from stats.models import INTERVALS, Interval, Total, format_amount_grouped
from stats.services.report import ChartData, Report, Series

WIDTH, HEIGHT = 900, 220  # of a line chart
BARS_WIDTH, BAR_HEIGHT = 300, 26
CHARACTER_WIDTH = 10  # of a label below a line chart, with the space around it
MAX_DOTS = 40


class StatsPageRenderer(BrowsableAPIRenderer):
    template = "stats/report.html"

    def get_context(
        self, data: Any, accepted_media_type: str | None, renderer_context: Mapping[str, Any]
    ) -> dict[str, Any]:
        context = super().get_context(data, accepted_media_type, renderer_context)
        parameters = context["request"].query_params
        context |= {"parameters": parameters, "intervals": list(INTERVALS)}
        report: Report | None = renderer_context["view"].report
        if report:
            context |= report_context(report, parameters.dict())
        return context


# --- Numbers ---------------------------------------------------------------------------------


def report_context(report: Report, parameters: dict[str, str]) -> dict[str, Any]:
    interval, charts = report.query.interval, report.charts
    return {
        "report": report,
        "interval": interval.name if interval else None,
        "rows": [format_row(row, interval) for row in report.rows],
        "row_count": f"{len(report.rows):,}",
        "sums": format_sums(charts.summary.messages, charts.summary.amount_thousandths),
        "page_sums": format_sums(
            sum(row.messages for row in report.rows),
            sum(row.amount_thousandths for row in report.rows),
        ),
        "csv_link": f"?{urlencode(parameters | {'format': 'csv'})}",
        **(line_charts(interval, charts, parameters) if interval else bar_charts(charts)),
    }


class Row(NamedTuple):
    customer_id: int
    type: str
    period: str
    messages: str
    amount: str


class SumsText(NamedTuple):
    messages: str
    amount: str


def format_row(row: Total, interval: Interval | None) -> Row:
    return Row(
        row.customer_id,
        format_type(row.type),
        interval.format(row.period) if interval and row.period else "",
        f"{row.messages:,}",
        format_amount_grouped(row.amount_thousandths),
    )


def format_sums(messages: int, amount_thousandths: int) -> SumsText:
    return SumsText(f"{messages:,}", format_amount_grouped(amount_thousandths))


def format_type(type: str | None) -> str:
    return "all others" if type is None else type or "(empty)"


# --- Charts ----------------------------------------------------------------------------------


class Measure(NamedTuple):
    """One of the two numbers that charts show."""

    title: str
    field: str  # of Series and Total

    def of(self, source: Series | Total) -> Any:
        return getattr(source, self.field)

    def format(self, value: int) -> str:
        is_amount = self.field == "amount_thousandths"
        return format_amount_grouped(value) if is_amount else f"{value:,}"


MEASURES = [Measure("Amount", "amount_thousandths"), Measure("Messages", "messages")]


class Label(NamedTuple):
    x: float
    name: str


class Column(NamedTuple):
    """One period of a line chart, with the values of its tooltip."""

    x: float
    width: float
    name: str
    values: list[tuple[str, str]]  # type, value


class LineChart(NamedTuple):
    title: str
    grid: list[dict[str, Any]]
    lines: list[list[tuple[float, float]]]
    has_dots: bool
    columns: list[Column]
    labels: list[Label]


class Bar(NamedTuple):
    customer_id: int
    type: str
    y: int
    width: float
    value: str


class BarChart(NamedTuple):
    title: str
    bars: list[Bar]


def line_charts(
    interval: Interval, charts: ChartData, parameters: dict[str, str]
) -> dict[str, Any]:
    """Return a chart of amounts and one of messages, with a line for each type."""
    if not charts.summary.messages:
        return {}
    if not charts.periods:
        longer = longer_interval(interval)
        return {
            "is_too_long": True,
            "max_drawn": interval.max_drawn,
            "longer_interval": longer,
            "longer_link": longer and first_page_link(parameters, interval=longer),
        }
    names = [interval.format(period) for period in charts.periods]
    return {
        "legend": [format_type(series.type) for series in charts.series],
        "line_charts": [line_chart(measure, names, charts.series) for measure in MEASURES],
        "width": WIDTH,
        "height": HEIGHT,
        "first_period": names[0],
        "last_period": names[-1],
    }


def longer_interval(interval: Interval) -> str | None:
    names = list(INTERVALS)
    position = names.index(interval.name) + 1
    return names[position] if position < len(names) else None


def first_page_link(parameters: dict[str, str], **changes: str) -> str:
    filters = {name: value for name, value in parameters.items() if name != "cursor"}
    return f"?{urlencode(filters | changes)}"


def line_chart(measure: Measure, names: list[str], all_series: list[Series]) -> LineChart:
    scale = axis([value for series in all_series for value in measure.of(series)], HEIGHT)
    step = WIDTH / len(names)
    middles = [round((position + 0.5) * step, 1) for position in range(len(names))]
    max_labels = round(WIDTH / (CHARACTER_WIDTH * len(names[0])))
    label_step = -(-len(names) // max_labels)
    return LineChart(
        title=measure.title,
        grid=scale.lines(measure.format),
        lines=[
            [(x, scale.y(value)) for x, value in zip(middles, measure.of(series), strict=True)]
            for series in all_series
        ],
        has_dots=len(names) <= MAX_DOTS,
        columns=[
            Column(
                x=round(position * step, 1),
                width=round(step, 1),
                name=name,
                values=[
                    (format_type(series.type), measure.format(measure.of(series)[position]))
                    for series in all_series
                ],
            )
            for position, name in enumerate(names)
        ],
        labels=[Label(*label) for label in zip(middles, names, strict=True)][::label_step],
    )


def bar_charts(charts: ChartData) -> dict[str, Any]:
    """Return a chart of amounts and one of messages, with a bar for each customer and type."""
    if not charts.largest:
        return {}
    return {
        "bar_charts": [bar_chart(measure, charts.largest) for measure in MEASURES],
        "bars_width": BARS_WIDTH,
        "bars_height": len(charts.largest) * BAR_HEIGHT,
    }


def bar_chart(measure: Measure, totals: list[Total]) -> BarChart:
    largest = max(1, *map(measure.of, totals))  # all amounts may be zero
    return BarChart(
        measure.title,
        [
            Bar(
                total.customer_id,
                format_type(total.type),
                position * BAR_HEIGHT,
                round(measure.of(total) / largest * BARS_WIDTH, 1),
                measure.format(measure.of(total)),
            )
            for position, total in enumerate(totals)
        ],
    )
