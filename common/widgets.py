"""What a service shows of itself on the admin's front page."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

# Whether the person who looks may see rows of this model of the service.
CanView = Callable[[str], bool]

# Colours of the theme, for one series after the other.
COLOURS = ["var(--color-primary-600)", "var(--color-base-400)"]
BAR_THICKNESS = 24
GREY = "#9ca3af"  # to be read on light and on dark


@dataclass(frozen=True)
class StatTile:
    """A number to know, and where it comes from."""

    title: str
    value: str
    note: str = ""
    link: str = ""
    is_alarm: bool = False


@dataclass(frozen=True)
class Chart:
    """Bars side by side for each label."""

    title: str
    labels: Sequence[str]
    series: Mapping[str, Sequence[int]]

    @property
    def data(self) -> str:
        """As Chart.js takes it, from an attribute of the canvas."""
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
        """Chart.js's, all of them: the admin's own leave out what the numbers are."""
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
        """The same as a table."""
        columns = zip(*self.series.values(), strict=True)
        return [(label, list(row)) for label, row in zip(self.labels, columns, strict=True)]


Widget = StatTile | Chart
