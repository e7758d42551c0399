"""Geometry that the charts of all services share."""

from collections.abc import Callable
from math import floor, log10
from typing import Any, NamedTuple

MAX_STEPS = 5


class Axis(NamedTuple):
    """A vertical axis in whole numbers, zero among them."""

    ticks: list[int]  # round numbers, from the lowest up
    height: int

    def y(self, value: int) -> float:
        """How far below the top of the chart this value is."""
        lowest, highest = self.ticks[0], self.ticks[-1]
        return round(self.height * (highest - value) / (highest - lowest), 1)

    def bar(self, value: int) -> dict[str, float]:
        """The upper edge and the height of a bar between zero and this value."""
        edges = sorted([self.y(0), self.y(value)])
        return {"y": edges[0], "height": round(edges[1] - edges[0], 1)}

    def lines(self, spoken: Callable[[int], str] = str) -> list[dict[str, Any]]:
        """A line for each tick, with its label."""
        return [{"y": self.y(tick), "label": spoken(tick)} for tick in self.ticks]


def axis(values: list[int], height: int) -> Axis:
    """An axis that every value fits on."""
    lowest, highest = min([0, *values]), max([1, *values])
    rough = (highest - lowest) / MAX_STEPS
    power: int = 10 ** max(0, floor(log10(rough)))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if power * factor >= rough)
    return Axis(list(range(lowest // step * step, -(-highest // step) * step + 1, step)), height)
