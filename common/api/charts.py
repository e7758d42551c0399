"""Geometry of the charts that the services draw as SVG."""

from collections.abc import Callable
from math import floor, log10
from typing import Any, NamedTuple

MAX_STEPS = 5


class Axis(NamedTuple):
    """A vertical axis of whole numbers that includes zero."""

    ticks: list[int]  # round numbers, ascending
    height: int

    def y(self, value: int) -> float:
        """Return the distance of a value from the top of the chart."""
        lowest, highest = self.ticks[0], self.ticks[-1]
        return round(self.height * (highest - value) / (highest - lowest), 1)

    def bar(self, value: int) -> dict[str, float]:
        """Return the upper edge and the height of the bar from zero to this value."""
        edges = sorted([self.y(0), self.y(value)])
        return {"y": edges[0], "height": round(edges[1] - edges[0], 1)}

    def lines(self, format_tick: Callable[[int], str] = str) -> list[dict[str, Any]]:
        """Return one grid line per tick, with its label."""
        return [{"y": self.y(tick), "label": format_tick(tick)} for tick in self.ticks]


def axis(values: list[int], height: int) -> Axis:
    """Return an axis that includes all values."""
    lowest, highest = min([0, *values]), max([1, *values])
    rough = (highest - lowest) / MAX_STEPS
    power: int = 10 ** max(0, floor(log10(rough)))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if power * factor >= rough)
    return Axis(list(range(lowest // step * step, -(-highest // step) * step + 1, step)), height)
