"""Pagination that does not count millions of rows."""

from typing import Any

from django.core.paginator import Paginator
from django.db import connections, models
from django.utils.functional import cached_property

# Users find later rows by a date, a filter or the search.
MAX_COUNTED = 10_000

ESTIMATES = {
    "postgresql": "SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(%s)",
    "mysql": (
        "SELECT table_rows FROM information_schema.tables"
        " WHERE table_schema = DATABASE() AND table_name = %s"
    ),
}


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Pages of the first ``MAX_COUNTED`` rows."""

    template_name = "common/admin/pagination.html"
    object_list: models.QuerySet[Any]

    @cached_property
    def count(self) -> int:
        """Return the number of rows on all pages."""
        return min(self._counted, MAX_COUNTED)

    @property
    def has_more(self) -> bool:
        return self._counted > MAX_COUNTED

    @cached_property
    def estimate(self) -> int | None:
        """Return the table's estimated number of rows; None if the database has no estimate."""
        if not self.has_more or self.object_list.query.where:
            return None
        rows = estimated_rows(self.object_list)
        if rows is None or rows <= MAX_COUNTED:
            return None
        return round(rows, 2 - len(str(rows)))

    @cached_property
    def _counted(self) -> int:
        # Counting needs no order.
        return self.object_list.order_by()[: MAX_COUNTED + 1].count()


def estimated_rows(rows: models.QuerySet[Any]) -> int | None:
    """Return the database's estimate of the table's size, or None if it has no estimate."""
    connection = connections[rows.db]
    if connection.vendor not in ESTIMATES:
        return None
    with connection.cursor() as cursor:
        cursor.execute(ESTIMATES[connection.vendor], [rows.model._meta.db_table])
        row = cursor.fetchone()
    return row[0] if row else None
