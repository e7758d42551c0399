"""Transactions on our database, begun again where two got in each other's way."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connections, transaction

P = ParamSpec("P")
T = TypeVar("T")

TRIES = 10
DEADLOCK = 1213  # MySQL's; whoever gets it has been rolled back whole


def in_transaction(work: Callable[P, T]) -> Callable[P, T]:
    """Let all of the function happen, or nothing; again from the start after a deadlock."""
    atomic = transaction.atomic(using="repairjobs")(work)

    @wraps(work)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        is_outermost = not connections["repairjobs"].in_atomic_block
        for _ in range(TRIES - 1 if is_outermost else 0):
            try:
                return atomic(*args, **kwargs)
            except OperationalError as error:
                if error.args[:1] != (DEADLOCK,):
                    raise
        return atomic(*args, **kwargs)

    return wrapped
