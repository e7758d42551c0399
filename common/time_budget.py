"""Time budgets. A long job works in small steps and checks after each step if time is left."""

import time
from collections.abc import Callable

HasTimeLeft = Callable[[], bool]


def unlimited() -> bool:
    """Return True. A job with this check works until everything is done."""
    return True


def time_limit_of(seconds: float) -> HasTimeLeft:
    """Return a check that is true for this many seconds from now."""
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() < deadline
