import base64
import binascii
import json
from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from common.api.pagination import KeysetPagination
from common.api.parsing import CURSOR_TEXT, is_storable, must_be, parse_limit


class DocumentPagination(KeysetPagination):
    """Pages of documents, by their job's id."""

    def begin(self, request: Request) -> str | None:
        """Read what page is asked for. Return the id that it comes after."""
        self.limit = parse_limit(request.query_params.get("limit"))
        self.url = request.build_absolute_uri(request.path)
        self.parameters = request.query_params.dict()
        cursor = self.parameters.get("cursor")
        return None if cursor is None else _read(cursor)

    def end(self, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The page, of documents that may be one more than it holds."""
        if len(documents) > self.limit:
            documents = documents[: self.limit]
            self.set_next_link([documents[-1]["job_id"]])
        return documents


def _read(cursor: str) -> str:
    try:
        (after,) = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        after = None
    if isinstance(after, str) and is_storable(after):
        return after
    raise ValidationError({"cursor": [must_be(CURSOR_TEXT)]})
