import base64
import binascii
import json
from collections.abc import Callable

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from common.api.pagination import KeysetPagination
from common.api.parsing import CURSOR_TEXT, is_storable, must_be, parse_limit
from repairjobs.integrations.documents.base import Document


class DocumentPagination(KeysetPagination):
    """Pages of job documents, by ``job_id``."""

    def paginate(self, request: Request, find: Callable[..., list[Document]]) -> list[Document]:
        """Return the requested page.

        :param find: called with ``after``, a job_id or None, and ``limit``.
        """
        self.limit = parse_limit(request.query_params.get("limit"))
        self.url = request.build_absolute_uri(request.path)
        self.parameters = request.query_params.dict()
        cursor = self.parameters.get("cursor")
        after = None if cursor is None else _parse_cursor(cursor)
        documents = find(after=after, limit=self.limit + 1)
        if len(documents) > self.limit:
            documents.pop()
            self.set_next_link([documents[-1]["job_id"]])
        return documents


def _parse_cursor(cursor: str) -> str:
    try:
        (job_id,) = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        job_id = None
    if isinstance(job_id, str) and is_storable(job_id):
        return job_id
    raise ValidationError({"cursor": [must_be(CURSOR_TEXT)]})
