"""Transactions that are repeated after a deadlock."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connections, transaction

P = ParamSpec("P")
T = TypeVar("T")

MAX_TRIES = 10
MYSQL_DEADLOCK = 1213  # MySQL has rolled back the whole transaction that gets this error


def atomic_with_retry(*, using: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate a function to run in one transaction, and to run again after a deadlock.

    Inside another transaction the function runs once, in a savepoint.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        atomic = transaction.atomic(using=using)(function)
        outermost = _close_lost_connection(atomic, using)

        @wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
            if connections[using].in_atomic_block:
                return atomic(*args, **kwargs)
            for _ in range(MAX_TRIES - 1):
                try:
                    return outermost(*args, **kwargs)
                except OperationalError as error:
                    if error.args[:1] != (MYSQL_DEADLOCK,):
                        raise
            return outermost(*args, **kwargs)

        return wrapped

    return decorate


def _close_lost_connection(function: Callable[P, T], using: str) -> Callable[P, T]:
    """Decorate a function to close the connection if it was lost during the function.

    The next transaction then opens a new connection. Otherwise, if a connection is lost between a
    COMMIT and the end of Django's block, Django stays in the state "inside a transaction", and this
    process can never commit again.
    """

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except (OperationalError, InterfaceError):
            connections[using].close_if_unusable_or_obsolete()
            raise

    return wrapped
