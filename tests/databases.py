"""Empty databases between tests, without Django's flush."""

from functools import cache

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connections
from django.db.transaction import atomic
from django.test import TransactionTestCase

# The migrate command writes these rows; no test changes them.
KEPT = {ContentType._meta.db_table, Permission._meta.db_table}


def empty_databases(test_case: TransactionTestCase) -> None:
    """Delete the rows that a transactional test left in its databases.

    Django's flush truncates every table and then creates all content types and permissions again.
    That takes longer than most tests.
    """
    for alias in test_case._databases_names(include_mirrors=False):
        if tables := _tables_with_rows(alias):
            _empty(alias, tables)


def _tables_with_rows(alias: str) -> list[str]:
    if not (query := _query_for_tables_with_rows(alias)):
        return []
    with connections[alias].cursor() as cursor:
        cursor.execute(query)
        return [table for (table,) in cursor.fetchall()]


@cache
def _query_for_tables_with_rows(alias: str) -> str:
    quoted = connections[alias].ops.quote_name
    tables = set(connections[alias].introspection.django_table_names(only_existing=True)) - KEPT
    return " UNION ALL ".join(
        f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {quoted(table)})" for table in sorted(tables)
    )


def _empty(alias: str, tables: list[str]) -> None:
    connection = connections[alias]
    # The order of the tables does not matter while foreign keys are not checked.
    with (
        connection.constraint_checks_disabled(),
        atomic(using=alias),
        connection.cursor() as cursor,
    ):
        for table in tables:
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")
