"""Transactions on our database, begun again where two got in each other's way."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connections, transaction

P = ParamSpec("P")
T = TypeVar("T")

TRIES = 10
DEADLOCK = 1213  # MySQL's; whoever gets it has been rolled back whole


def in_transaction(work: Callable[P, T]) -> Callable[P, T]:
    """Let all of the function happen, or nothing; again from the start after a deadlock."""
    atomic = transaction.atomic(using="repairjobs")(work)
    outermost = _leaving_no_broken_connection(atomic)

    @wraps(work)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        if connections["repairjobs"].in_atomic_block:
            return atomic(*args, **kwargs)
        for _ in range(TRIES - 1):
            try:
                return outermost(*args, **kwargs)
            except OperationalError as error:
                if error.args[:1] != (DEADLOCK,):
                    raise
        return outermost(*args, **kwargs)

    return wrapped


def _leaving_no_broken_connection(work: Callable[P, T]) -> Callable[P, T]:
    """Let the next transaction of this process have a new connection, if this one's is lost.

    Where it is lost between a COMMIT and the end of Django's block, Django takes what comes next
    for a part of a transaction that never ends, and this process would do no work any more.
    """

    @wraps(work)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return work(*args, **kwargs)
        except (OperationalError, InterfaceError):
            connections["repairjobs"].close_if_unusable_or_obsolete()
            raise

    return wrapped
