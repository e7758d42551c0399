"""``GET /stats`` in a browser: the browsable API's page with a form, charts and a table."""

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import urlencode

from common.api.browsable import BrowsableAPIRenderer
from common.api.charts import axis
from stats.api.serializers import read_question
from stats.models import DailyTotal, Interval, grouped_amount
from stats.services import report

WIDTH, HEIGHT, BAR = 900, 220, 26
BARS_WIDTH = 300
MAX_DRAWN = {"day": report.MAX_DAYS, "month": report.MAX_MONTHS}
MAX_LABELS, MAX_DOTS = {"day": 9, "month": 13}, 40


class Measure(NamedTuple):
    """One of the two things that are drawn."""

    title: str
    field: str  # of a series, and of a sum
    sums_field: str

    def spoken(self, value: int) -> str:
        return grouped_amount(value) if self.field == "thousandths" else f"{value:,}"


MEASURES = [
    Measure("Amount", "thousandths", "thousandths"),
    Measure("Messages", "messages", "message_count"),
]


class StatsPageRenderer(BrowsableAPIRenderer):
    template = "stats/report.html"

    def get_context(
        self, data: Any, accepted_media_type: str | None, renderer_context: Mapping[str, Any]
    ) -> dict[str, Any]:
        context = super().get_context(data, accepted_media_type, renderer_context)
        parameters = context["request"].query_params
        context["asked"] = parameters
        if isinstance(data, list):
            context |= page(data, parameters.dict())
            link = context["response"].headers.get("Link", "")
            context["next_page"] = link.partition(">")[0].removeprefix("<")
            context["page"]["is_all"] = not link and "cursor" not in parameters
        return context


def page(rows: list[Any], parameters: dict[str, str]) -> dict[str, Any]:
    """What the page shows: charts and sums of all that was asked for, and one page of rows."""
    asked = read_question(parameters)
    totals = DailyTotal.objects.asked(asked)
    whole, interval = report.overview(totals), asked.get("interval")
    return {
        "rows": [
            row | {"count": f"{row['count']:,}", "totalAmount": grouped_amount(_thousandths(row))}
            for row in rows
        ],
        "row_count": f"{len(rows):,}",
        "whole": {"count": f"{whole.messages:,}", "amount": grouped_amount(whole.thousandths)},
        "page": {
            "count": f"{sum(row['count'] for row in rows):,}",
            "amount": grouped_amount(sum(map(_thousandths, rows))),
        },
        "interval": interval,
        "csv": f"?{urlencode(parameters | {'format': 'csv'})}",
        "by_month": by_month(parameters),
        **(over_time(totals, whole, interval) if interval else by_customer(totals)),
    }


def _thousandths(row: dict[str, Any]) -> int:
    return int(row["totalAmount"].replace(".", ""))


def by_month(parameters: dict[str, str]) -> str:
    """Where the same is split by month, from its first page."""
    kept = {name: value for name, value in parameters.items() if name != "cursor"}
    return f"?{urlencode(kept | {'interval': Interval.MONTH.value})}"


def over_time(totals: Any, whole: report.Overview, interval: str) -> dict[str, Any]:
    """A line for each of the larger types, of amounts and of counts."""
    if whole.first is None or whole.last is None:
        return {}
    over = report.periods(whole.first, whole.last, interval)
    if not over:
        return {"is_too_long": True, "most": MAX_DRAWN[interval]}
    names = [spoken_period(day, interval) for day in over]
    found = report.series(totals, interval, over)
    return {
        "legend": [{"number": number, "type": each.type} for number, each in enumerate(found)],
        "charts": [line_chart(measure, names, found, MAX_LABELS[interval]) for measure in MEASURES],
        "width": WIDTH,
        "height": HEIGHT,
        "span": (names[0], names[-1]),
    }


def line_chart(
    measure: Measure, names: list[str], found: list[report.Series], most_labels: int
) -> dict[str, Any]:
    """Geometry of one line a series over the periods of these names."""
    all_values = [getattr(each, measure.field) for each in found]
    scale = axis([value for values in all_values for value in values], HEIGHT)
    step = WIDTH / len(names)
    middles = [round((place + 0.5) * step, 1) for place in range(len(names))]
    every = -(-len(names) // most_labels)
    return {
        "title": measure.title,
        "grid": scale.lines(measure.spoken),
        "lines": [
            [(x, scale.y(value)) for x, value in zip(middles, values, strict=True)]
            for values in all_values
        ],
        "has_dots": len(names) <= MAX_DOTS,
        "columns": [
            {
                "x": round(place * step, 1),
                "width": round(step, 1),
                "name": name,
                "values": [
                    (each.type, measure.spoken(values[place]))
                    for each, values in zip(found, all_values, strict=True)
                ],
            }
            for place, name in enumerate(names)
        ],
        "labels": [
            {"x": x, "name": name} for x, name in list(zip(middles, names, strict=True))[::every]
        ],
    }


def by_customer(totals: Any) -> dict[str, Any]:
    """A bar for each of the larger customers and types, of amounts and of counts."""
    rows = report.largest(totals)
    return {
        "bar_charts": [bar_chart(measure, rows) for measure in MEASURES if rows],
        "bars_width": BARS_WIDTH,
        "bars_height": len(rows) * BAR,
        "most_bars": report.MAX_BARS,
    }


def bar_chart(measure: Measure, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Geometry of bars that lie below each other."""
    values = [int(row[measure.sums_field]) for row in rows]
    top = max([1, *values])
    return {
        "title": measure.title,
        "bars": [
            {
                "row": row,
                "y": place * BAR,
                "width": round(value / top * BARS_WIDTH, 1),
                "value": measure.spoken(value),
            }
            for place, (row, value) in enumerate(zip(rows, values, strict=True))
        ],
    }


def spoken_period(day: date, interval: str) -> str:
    return day.isoformat()[:7] if interval == Interval.MONTH else day.isoformat()
