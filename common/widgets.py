"""Widgets that a service shows on the admin's overview page."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

# Returns whether the user may view a model of the service.
CanView = Callable[[str], bool]

# Colours of the theme, one per series.
COLOURS = ["var(--color-primary-600)", "var(--color-base-400)"]
BAR_THICKNESS = 24
GREY = "#9ca3af"  # readable in light and in dark mode


@dataclass(frozen=True)
class StatTile:
    """A number with a link to its list."""

    title: str
    value: str
    note: str = ""
    link: str = ""
    is_alarm: bool = False


@dataclass(frozen=True)
class Chart:
    """A bar chart with one or more series."""

    title: str
    labels: Sequence[str]
    series: Mapping[str, Sequence[int]]

    @property
    def data(self) -> str:
        """The JSON of Chart.js's ``data``, for an attribute of the canvas."""
        sets = [
            {
                "label": name,
                "data": list(values),
                "backgroundColor": colour,
                "maxBarThickness": BAR_THICKNESS,
                "borderRadius": 2,
            }
            for (name, values), colour in zip(self.series.items(), COLOURS, strict=False)
        ]
        return json.dumps({"labels": list(self.labels), "datasets": sets})

    @property
    def options(self) -> str:
        """The JSON of Chart.js's ``options``. unfold's defaults hide the axis labels."""
        options = {
            "animation": False,
            "maintainAspectRatio": False,
            "scales": {
                "x": {"grid": {"display": False}, "ticks": {"color": GREY, "maxRotation": 45}},
                "y": {"beginAtZero": True, "grid": {}, "ticks": {"color": GREY, "precision": 0}},
            },
            "plugins": {"legend": {"display": len(self.series) > 1, "labels": {"color": GREY}}},
        }
        return json.dumps(options)

    @property
    def rows(self) -> list[tuple[str, list[int]]]:
        """The data as rows of a table, for screen readers."""
        columns = zip(*self.series.values(), strict=True)
        return [(label, list(row)) for label, row in zip(self.labels, columns, strict=True)]


Widget = StatTile | Chart
