"""Argument types for management commands."""

from argparse import ArgumentTypeError
from collections.abc import Callable


def at_least(minimum: int) -> Callable[[str], int]:
    """Return an argument type for whole numbers of at least ``minimum``."""

    def parse(text: str) -> int:
        message = f"must be a whole number of at least {minimum}, not {text!r}"
        try:
            number = int(text)
        except ValueError as error:
            raise ArgumentTypeError(message) from error
        if number < minimum:
            raise ArgumentTypeError(message)
        return number

    return parse
