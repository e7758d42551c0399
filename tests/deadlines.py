from itertools import chain, repeat

from common.time_budget import HasTimeLeft


def after(count: int) -> HasTimeLeft:
    """Return a time budget that is used up when it is checked for the ``count``-th time."""
    return chain(repeat(True, count - 1), repeat(False)).__next__
