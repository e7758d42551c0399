from itertools import chain, repeat

from common.time_budget import HasTimeLeft


def after(count: int) -> HasTimeLeft:
    """Time that is over when it has been asked for so often."""
    return chain(repeat(True, count - 1), repeat(False)).__next__
