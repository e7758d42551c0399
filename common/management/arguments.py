"""Arguments of commands."""

from argparse import ArgumentTypeError
from collections.abc import Callable


def at_least(least: int) -> Callable[[str], int]:
    """Read a whole number of at least so much."""

    def read(spelled: str) -> int:
        allowed = f"{spelled!r}; allowed: a whole number from {least} on"
        try:
            number = int(spelled)
        except ValueError as error:
            raise ArgumentTypeError(allowed) from error
        if number < least:
            raise ArgumentTypeError(allowed)
        return number

    return read
