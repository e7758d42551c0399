"""Keyset pagination: JSON arrays with a ``Link`` header to the next page."""

import base64
import binascii
import json
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.core.exceptions import ValidationError as InvalidValue
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import ColPairs
from django.db.models.fields.tuple_lookups import TupleGreaterThan
from django.db.models.lookups import GreaterThan
from django.db.models.sql.compiler import SQLCompiler
from django.utils.safestring import mark_safe
from rest_framework import pagination
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from common.api.parsing import (
    CURSOR_TEXT,
    DEFAULT_LIMIT,
    LIMIT_TEXT,
    MAX_LIMIT,
    is_storable,
    must_be,
    parse_limit,
    to_instant,
)

Rows = TypeVar("Rows", bound=models.QuerySet[Any])


class RowGreaterThan(TupleGreaterThan):
    """``(a, b) > (x, y)`` as SQL for which each database uses its index."""

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        # Django would write ANDs and ORs, but SQLite can compare rows since 3.15.
        return GreaterThan.as_sql(self, compiler, connection)

    def as_mysql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        # MySQL does not use an index for a comparison of rows.
        return self.get_fallback_sql(compiler, connection)


class KeysetPagination(pagination.BasePagination):
    """Pages ordered by the view's ``keyset``. Each starts after the last row of the previous page.

    The keyset ends with a unique column, so rows with equal values are neither skipped nor
    repeated. Inserts do not shift pages. The last page is as fast as the first page.
    """

    display_page_controls = True
    next_link: str | None = None

    def window(
        self, queryset: models.QuerySet[Any], request: Request, keyset: Iterable[str]
    ) -> models.QuerySet[Any]:
        """Return the rows of this page and one more row, in order."""
        rows = self.rest(queryset, request, keyset)
        return rows.order_by(*self.keyset)[: self.limit + 1]

    def rest(self, queryset: Rows, request: Request, keyset: Iterable[str]) -> Rows:
        """Return the rows of this page and of all following pages, unordered."""
        self.keyset = list(keyset)
        self.limit = parse_limit(request.query_params.get("limit"))
        self.url = request.build_absolute_uri(request.path)
        self.parameters = request.query_params.dict()
        if "cursor" in self.parameters:
            queryset = self._after(queryset, self.parameters["cursor"])
        return queryset

    def set_next_link(self, last: Iterable[Any]) -> None:
        """Link to the page after this one.

        :param last: the keyset values of this page's last row.
        """
        # Django's encoder would truncate instants to milliseconds.
        values = [value.isoformat() if isinstance(value, date) else value for value in last]
        key = json.dumps(values, default=str).encode()
        cursor = base64.urlsafe_b64encode(key).decode().rstrip("=")
        self.next_link = f"{self.url}?{urlencode({**self.parameters, 'cursor': cursor})}"

    def _after(self, queryset: Rows, cursor: str) -> Rows:
        fields = [queryset.model._meta.get_field(name) for name in self.keyset]
        try:
            key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            values = [
                to_instant(value) if isinstance(field, models.DateTimeField) else value
                for field, value in zip(fields, key, strict=True)
            ]
            if not all(isinstance(value, datetime | str | int) for value in values):
                raise ValueError(values)
            if not all(is_storable(value) for value in values if isinstance(value, str)):
                raise ValueError(values)
            values = [field.clean(value, None) for field, value in zip(fields, values, strict=True)]
        except (binascii.Error, ValueError, TypeError, RecursionError, InvalidValue) as error:
            raise ValidationError({"cursor": [must_be(CURSOR_TEXT)]}) from error
        pair = ColPairs(queryset.model._meta.db_table, fields, fields, fields[0])
        return queryset.filter(RowGreaterThan(pair, values))

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        rows = list(self.window(queryset, request, view.keyset))
        if len(rows) > self.limit:
            rows.pop()
            self.set_next_link(getattr(rows[-1], name) for name in self.keyset)
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        headers = {"Link": f'<{self.next_link}>; rel="next"'} if self.next_link else None
        return Response(data, headers=headers)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return schema

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
        return [
            {"name": "limit", "in": "query", "description": LIMIT_TEXT, "schema": limit},
            {
                "name": "cursor",
                "in": "query",
                "description": CURSOR_TEXT,
                "schema": {"type": "string"},
            },
        ]

    def to_html(self) -> str:
        if not self.next_link:
            return ""
        return mark_safe(  # noqa: S308 (urlencoded above)
            f'<a class="btn btn-default" rel="next" href="{self.next_link}">Next page</a>'
        )

    def get_results(self, data: Any) -> Any:
        return data
