"""``GET /dashboard`` in a browser: the browsable API's page with choosers, a chart and a table."""

from collections.abc import Mapping
from datetime import date
from http import HTTPStatus
from math import ceil
from typing import Any
from urllib.parse import urlencode

from common.api.browsable import BrowsableAPIRenderer
from common.api.charts import axis
from dashboard.models import DailyTotal, Reading
from dashboard.services.report import Question, report

WIDTH, HEIGHT = 960, 260
CELL = 17
LEVELS = 4
MAX_HOTELS, MAX_HOTEL_LINKS, MAX_YEARS = 200, 20, 30
KINDS = ("bookings", "cancellations", "net")
FIRST_YEAR, LAST_YEAR = 1, 9999


class ReportPageRenderer(BrowsableAPIRenderer):
    template = "dashboard/report.html"

    def get_context(
        self, data: Any, accepted_media_type: str | None, renderer_context: Mapping[str, Any]
    ) -> dict[str, Any]:
        context = super().get_context(data, accepted_media_type, renderer_context)
        context["asked"] = context["request"].query_params
        context["is_chooser"] = not data
        # Whoever may not ask is shown no hotels.
        if context["response"].status_code in {HTTPStatus.OK, HTTPStatus.BAD_REQUEST}:
            context |= chooser(data if "data" in data else None)
        if "data" in data:
            context |= page(data)
        return context


def chooser(report: dict[str, Any] | None) -> dict[str, Any]:
    """The hotels to choose from, the first of them by a link to what is asked of this one."""
    hotels = DailyTotal.objects.hotels(MAX_HOTELS)
    return {
        "hotels": hotels,
        "hotel_links": [
            (hotel, _link(report, hotel_id=hotel) if report else f"?hotel_id={hotel}")
            for hotel in hotels[:MAX_HOTEL_LINKS]
        ],
        "has_more_hotels": len(hotels) > MAX_HOTEL_LINKS,
    }


def page(report: dict[str, Any]) -> dict[str, Any]:
    """What the page shows of a report, beside that of the year before."""
    before = year_before(report)
    total = report["total"]
    begins = known_from(before) if before else None
    is_empty = not (total["bookings"] or total["cancellations"])
    rows = compared(report, before)
    drawn: dict[str, Any] = {}
    if not is_empty:
        drawn = calendar_maps(report, before) if report["period"] == "day" else bars(rows)
    return {
        "report": report,
        "before": before,
        "rows": rows,
        "figures": figures(total, before["total"] if before and begins else None),
        "begins_late": begins if begins and _place(begins) else None,
        "is_empty": is_empty,
        "years": years(report),
        "periods": [(name, _link(report, period=name)) for name in ("month", "day", "year")],
        "readings": [(each.value, each.label, _link(report, by=each.value)) for each in Reading],
        "previous": _other_year(report, -1),
        "next": _other_year(report, 1),
        "kinds": [("bookings", "booked"), ("cancellations", "cancelled"), ("net", "net")],
        "csv": _link(report, format="csv"),
        **drawn,
    }


def year_before(asked: dict[str, Any]) -> dict[str, Any] | None:
    if asked["year"] == FIRST_YEAR:
        return None
    question = Question(asked["hotel_id"], asked["period"], asked["year"] - 1, asked["by"])
    return report(question, None)


def known_from(report: dict[str, Any]) -> date | None:
    """The first day of the report's year of which anything can be known, if there is one."""
    first = DailyTotal.objects.days(report["hotel_id"], report["by"]).first()
    if first is None or first.year > report["year"]:
        return None
    return max(first, date(report["year"], 1, 1))


def years(report: dict[str, Any]) -> list[tuple[int, str]]:
    """The years that the hotel has, each with its page."""
    found = DailyTotal.objects.years(report["hotel_id"], report["by"], MAX_YEARS)
    return [(year, _link(report, year=year)) for year in found]


def _other_year(report: dict[str, Any], step: int) -> str | None:
    year = report["year"] + step
    return _link(report, year=year) if FIRST_YEAR <= year <= LAST_YEAR else None


def _link(report: dict[str, Any], **changes: Any) -> str:
    asked = {name: report[name] for name in ("hotel_id", "year", "period", "by")}
    return f"?{urlencode(asked | changes)}"


def figures(
    total: Mapping[str, int], before: Mapping[str, int] | None
) -> list[tuple[str, str, str | None]]:
    """What to call each sum, the sum, and how it differs from the year before."""
    names = zip(KINDS, ("Room-nights booked", "Cancelled", "Net"), strict=True)
    return [
        (name, f"{total[kind]:,}", f"{total[kind] - before[kind]:+,}" if before else None)
        for kind, name in names
    ]


def compared(report: dict[str, Any], before: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The report's rows, each with that of a year before; 29 February has none beside it."""
    period = report["period"]
    earlier = {str(row[period])[4:]: row for row in before["data"]} if before else {}
    return [
        {**row, "name": str(row[period]), "before": earlier.get(str(row[period])[4:])}
        for row in report["data"]
    ]


def bars(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Geometry of three bars for each month, or for the year, last year's wide behind them."""
    both = [*rows, *(row["before"] for row in rows if row["before"])]
    scale = axis([row[kind] for row in both for kind in KINDS], HEIGHT)
    step = WIDTH / len(rows)
    wide = min(step * 0.24, 60)
    return {
        "groups": [
            {
                "row": row,
                "title": _month_name(row["name"]),
                "middle": round((place + 0.5) * step, 1),
                "bars": [
                    {
                        "kind": kind,
                        "x": round((place + 0.5) * step + wide * (shift + 0.15), 1),
                        "width": round(wide * 0.7, 1),
                        **scale.bar(row[kind]),
                        "before": row["before"]
                        and {
                            "x": round((place + 0.5) * step + wide * shift, 1),
                            "width": round(wide, 1),
                            **scale.bar(row["before"][kind]),
                        },
                    }
                    for kind, shift in zip(KINDS, (-1.6, -0.5, 0.6), strict=True)
                ],
            }
            for place, row in enumerate(rows)
        ],
        "grid": scale.lines(lambda value: f"{value:,}"),
        "zero": scale.y(0),
        "width": WIDTH,
        "height": HEIGHT,
    }


def _month_name(name: str) -> str:
    return date(2000, int(name[5:]), 1).strftime("%b") if name[4:] else name


def calendar_maps(report: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    """Geometry of both years, on one scale: a square a day, darker for more nights."""
    both = [report, *([before] if before else [])]
    top = max(1, *(row["net"] for each in both for row in each["data"]))
    return {
        "maps": [calendar_map(each, top) for each in both],
        "steps": [{"level": level, "least": _least(level, top)} for level in range(1, LEVELS + 1)],
    }


def calendar_map(report: dict[str, Any], top: int) -> dict[str, Any]:
    """Geometry of a square for each day, a column for each week."""
    year = report["year"]
    offset = date(year, 1, 1).weekday()
    return {
        "year": year,
        "total": report["total"],
        "cells": [
            {
                "tip": f"{row['day']}: {row['net']:,} net "
                f"({row['bookings']:,} booked, {row['cancellations']:,} cancelled)",
                "x": (place + offset) // 7 * CELL,
                "y": (place + offset) % 7 * CELL,
                "level": level(row["net"], top),
            }
            for place, row in enumerate(report["data"])
        ],
        "months": [
            {"name": first.strftime("%b"), "x": (_place(first) + offset) // 7 * CELL}
            for first in (date(year, month, 1) for month in range(1, 13))
        ],
        "weekdays": [
            {"name": name, "y": day * CELL} for name, day in (("Mon", 0), ("Thu", 3), ("Sun", 6))
        ],
    }


def level(net: int, top: int) -> str:
    """How dark a day is: "less" where more was cancelled than booked, then 0 to 4."""
    return "less" if net < 0 else str(ceil(net * LEVELS / top))


def _least(level: int, top: int) -> int:
    """The least that makes a day this dark."""
    return top * (level - 1) // LEVELS + 1


def _place(day: date) -> int:
    return day.timetuple().tm_yday - 1
