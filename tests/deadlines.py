from itertools import chain, repeat

from config.deadlines import KeepGoing


def after(count: int) -> KeepGoing:
    """Time that is over when it has been asked for so often."""
    return chain(repeat(True, count - 1), repeat(False)).__next__
