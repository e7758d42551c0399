"""Databases that fail, for tests of outages."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connections


@contextmanager
def failing_database(
    alias: str, *, table: str = "", error: Exception | None = None
) -> Iterator[None]:
    """Let every statement on a database fail that contains the table's name."""

    def execute_or_fail(execute, sql, params, many, context):
        if table in sql:
            raise error or OperationalError("server closed the connection")
        return execute(sql, params, many, context)

    with connections[alias].execute_wrapper(execute_or_fail):
        yield
