"""Parsers for the bodies of ``POST /messages/batch``."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework import parsers, status
from rest_framework.exceptions import APIException, ParseError

from common.api.json_format import is_text, parse_json, parse_json_leniently

NOT_A_BATCH = "A batch must be a JSON array of messages, or NDJSON."
MAX_MESSAGES = 10_000
# Maximum number of objects and arrays in a body, with nested ones. Each takes ten times as much
# memory as its text.
MAX_CONTAINERS = 50 * MAX_MESSAGES


class TooManyMessages(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"A batch must have at most {MAX_MESSAGES} messages."


class InvalidItem:
    """An item of a batch that cannot be parsed as JSON."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class JSONBatchParser(parsers.BaseParser):
    """A JSON array of messages."""

    media_type = "application/json"

    def parse(  # type: ignore[override]
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> list[Any]:
        body = stream.read()
        if body.count(b"{") + body.count(b"[") > MAX_CONTAINERS:
            raise TooManyMessages
        items = self.parse_items(body)
        if len(items) > MAX_MESSAGES:
            raise TooManyMessages
        return items

    def parse_items(self, body: bytes) -> list[Any]:
        items = parse_json_leniently(body)
        if not isinstance(items, list):
            raise ParseError(NOT_A_BATCH)
        if b"\\u" not in body:
            return items
        return [
            item if is_text(item) else InvalidItem("The message contains a lone surrogate.")
            for item in items
        ]


class NDJSONBatchParser(JSONBatchParser):
    """One message per line. Blank lines are skipped and not counted."""

    media_type = "application/x-ndjson"

    def parse_items(self, body: bytes) -> list[Any]:
        lines = [line for line in body.split(b"\n") if line.strip()]
        return [_parse_line(line) for line in lines[: MAX_MESSAGES + 1]]


def _parse_line(line: bytes) -> Any:
    try:
        return parse_json(line)
    except ParseError as error:
        return InvalidItem(str(error.detail))
