"""``GET /dashboard`` in a browser: the browsable API's page with choosers and a chart."""

from collections.abc import Mapping
from datetime import date
from math import ceil
from typing import Any

from config.api.formats import BrowsableAPIRenderer

WIDTH, HEIGHT = 960, 260
CELL = 17


class ReportPageRenderer(BrowsableAPIRenderer):
    template = "dashboard/report.html"

    def get_context(
        self, data: Any, accepted_media_type: str | None, renderer_context: Mapping[str, Any]
    ) -> dict[str, Any]:
        context = super().get_context(data, accepted_media_type, renderer_context)
        context["asked"] = context["request"].query_params
        if "data" in data:
            context["report"] = data
            context |= calendar_map(data) if data["period"] == "day" else bars(data)
        return context


def bars(report: dict[str, Any]) -> dict[str, Any]:
    """Geometry of two bars for each month, or for the year."""
    rows, period = report["data"], report["period"]
    top = max([row["bookings"] for row in rows] + [row["cancellations"] for row in rows]) or 1
    step = WIDTH / len(rows)
    return {
        "bars": [
            {
                "title": row[period],
                "row": row,
                "middle": round(place * step + step / 2, 1),
                "bars": [
                    {
                        "kind": kind,
                        "x": round(place * step + step * shift, 1),
                        "width": round(step * 0.3, 1),
                        "y": round(HEIGHT - row[kind] / top * HEIGHT, 1),
                        "height": round(row[kind] / top * HEIGHT, 1),
                    }
                    for kind, shift in (("bookings", 0.18), ("cancellations", 0.52))
                ],
            }
            for place, row in enumerate(rows)
        ],
        "top": top,
        "width": WIDTH,
        "height": HEIGHT,
    }


def calendar_map(report: dict[str, Any]) -> dict[str, Any]:
    """Geometry of a square for each day, a column for each week, darker for more nights."""
    rows = report["data"]
    top = max([row["net"] for row in rows] + [1])
    offset = date(report["year"], 1, 1).weekday()
    return {
        "cells": [
            {
                "row": row,
                "x": (place + offset) // 7 * CELL,
                "y": (place + offset) % 7 * CELL,
                "level": max(0, ceil(row["net"] / top * 4)),
            }
            for place, row in enumerate(rows)
        ],
        "months": [
            {"name": date(report["year"], month, 1).strftime("%b"), "x": column * CELL}
            for month in range(1, 13)
            for column in [(date(report["year"], month, 1).timetuple().tm_yday - 1 + offset) // 7]
        ],
        "steps": [{"level": level, "least": top * (level - 1) // 4 + 1} for level in range(5)],
    }
