"""CSV responses."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from rest_framework import renderers
from rest_framework.response import Response

from common.api.json_format import JSONRenderer

# A spreadsheet runs text that starts like this as a formula, also after whitespace and in
# full-width characters.
FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")


class Table(NamedTuple):
    name: str  # the file's name without .csv
    columns: Sequence[str]
    rows: Iterable[Mapping[str, Any]]


class Tabular(Protocol):
    """A view whose responses can be written as tables."""

    def table(self, content: Any) -> Table: ...


class CSVRenderer(renderers.BaseRenderer):
    """CSV by RFC 4180 in UTF-8, for views that are :class:`Tabular`. Errors stay JSON."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        assert renderer_context is not None
        response: Response = renderer_context["response"]
        if response.exception:
            response["Content-Type"] = JSONRenderer.media_type
            return JSONRenderer().render(data)
        view: Tabular = renderer_context["view"]
        table = view.table(data)
        response["Content-Disposition"] = f'attachment; filename="{table.name}.csv"'
        return write_csv(table).encode()


def write_csv(table: Table) -> str:
    """Return a header line and one line per row. Lines end with CR LF."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(table.columns)
    for row in table.rows:
        writer.writerow([escape_formula(row[column]) for column in table.columns])
    return text.getvalue()


def escape_formula(value: Any) -> Any:
    """Put an apostrophe in front of text that a spreadsheet would run as a formula."""
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value
