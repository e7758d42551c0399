"""Bodies of many messages: a JSON array, or a message a line."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework import parsers, status
from rest_framework.exceptions import APIException, ParseError

from common.api.json_format import is_text, parse_json, parse_json_leniently

NOT_A_BATCH = "A batch is a JSON array of messages, or NDJSON."
MAX_MESSAGES = 10_000
# Objects and arrays of a body, also inside of messages: each takes ten times its text in memory.
MAX_CONTAINERS = 50 * MAX_MESSAGES


class TooManyMessages(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"Too many messages. The maximum is {MAX_MESSAGES} per batch."


class Unreadable:
    """What stands in a batch where an item cannot be read."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class BatchParser(parsers.BaseParser):
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
        messages = self.read(body)
        if len(messages) > MAX_MESSAGES:
            raise TooManyMessages
        return messages

    def read(self, body: bytes) -> list[Any]:
        messages = parse_json_leniently(body)
        if not isinstance(messages, list):
            raise ParseError(NOT_A_BATCH)
        if b"\\u" not in body:
            return messages
        return [it if is_text(it) else Unreadable("a string contains a lone surrogate") for it in messages]


class LinesParser(BatchParser):
    """NDJSON: a message a line; blank lines count for nothing."""

    media_type = "application/x-ndjson"

    def read(self, body: bytes) -> list[Any]:
        lines = [line for line in body.split(b"\n") if line.strip()]
        return [_read_line(line) for line in lines[: MAX_MESSAGES + 1]]


def _read_line(line: bytes) -> Any:
    try:
        return parse_json(line)
    except ParseError as error:
        return Unreadable(str(error.detail))
