"""How long a service may go on with work that it does in pieces: it asks after each."""

import time
from collections.abc import Callable

HasTimeLeft = Callable[[], bool]


def unlimited() -> bool:
    """No end is set: the work ends when it is done."""
    return True


def time_limit_of(seconds: float) -> HasTimeLeft:
    """Go on for so long from now."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() < until
