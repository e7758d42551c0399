"""Interventions between the app and its databases: statements that fail, or that come too late.

A pattern is a regular expression. It is matched with the statement without quotes around names,
followed by its parameters.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connections

Execute = Callable[..., Any]
QUOTES = str.maketrans("", "", '`"')


def describe(sql: str, params: Any) -> str:
    return f"{sql.translate(QUOTES)} {params!r}"


@contextmanager
def failing(alias: str, pattern: str, error: Exception, *, after: int = 0) -> Iterator[None]:
    """Raise an error instead of executing matching statements, except the first ``after`` ones."""
    matches = 0

    def fail(execute: Execute, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal matches
        if re.search(pattern, describe(sql, params), re.DOTALL):
            matches += 1
            if matches > after:
                raise error
        return execute(sql, params, many, context)

    with connections[alias].execute_wrapper(fail):
        yield


@contextmanager
def unavailable(alias: str) -> Iterator[None]:
    """Let every statement fail, as if the database's server was gone."""
    with failing(alias, "", OperationalError(2006, "Server has gone away")):
        yield


@contextmanager
def interrupted(
    alias: str, pattern: str, action: Callable[[], object], *, nth: int = 1
) -> Iterator[None]:
    """Call ``action`` right before the n-th matching statement, once."""
    matches = 0

    def intervene(execute: Execute, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal matches
        if re.search(pattern, describe(sql, params), re.DOTALL):
            matches += 1
            if matches == nth:
                action()
        return execute(sql, params, many, context)

    with connections[alias].execute_wrapper(intervene):
        yield
    assert matches >= nth, f"no statement {nth} like {pattern}"
