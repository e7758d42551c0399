"""Strict JSON: parse request bodies and render responses."""

import json
import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import IO, Any

from rest_framework import parsers, renderers
from rest_framework.exceptions import ParseError

MAX_DIGITS = 4_000  # Python parses at most 4,300


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _parse_number(text: str) -> int | float:
    """Parse a number with a point or an exponent. ``1.0`` is an integer, as in JSON Schema.

    Return infinity if the number is whole only because a float is rounded. Every field rejects
    infinity.
    """
    number = float(text)
    if not number.is_integer():
        return number
    try:
        exact = Decimal(text)
    except InvalidOperation:  # the exponent is too large
        return math.inf
    return int(exact) if exact == exact.to_integral_value() else math.inf


# Shared, because json.loads with these options creates a new decoder for every call.
_decoder = json.JSONDecoder(parse_constant=_reject_constant, parse_float=_parse_number)
# A number with too many digits becomes infinity, so that only the item with the number is rejected.
_lenient_decoder = json.JSONDecoder(
    parse_constant=_reject_constant,
    parse_float=_parse_number,
    parse_int=lambda text: int(text) if len(text) < MAX_DIGITS else math.inf,
)


def parse_json(body: bytes) -> Any:
    """Parse UTF-8 JSON.

    :raises ParseError: if it is not JSON, is nested too deeply, or contains a lone surrogate.
    """
    content = _decode(_decoder, body)
    if b"\\u" in body and not is_text(content):
        raise ParseError("JSON parse error - a string contains a lone surrogate")
    return content


def parse_json_leniently(body: bytes) -> Any:
    """Parse UTF-8 JSON whose items are checked one by one later.

    Lone surrogates and very long numbers are allowed here. The later check rejects only the items
    that contain them.

    :raises ParseError: if it is not JSON, or is nested too deeply.
    """
    return _decode(_lenient_decoder, body)


def is_text(content: Any) -> bool:
    """Return whether JSON content is free of lone surrogates."""
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _decode(decoder: json.JSONDecoder, body: bytes) -> Any:
    try:
        return decoder.decode(body.decode())
    except RecursionError as error:
        raise ParseError("JSON parse error - nested too deeply") from error
    except ValueError as error:
        raise ParseError(f"JSON parse error - {error}") from error


class JSONParser(parsers.JSONParser):
    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return parse_json(stream.read())


class RenderedJSON(str):
    """JSON text that the database has rendered."""


class JSONRenderer(renderers.JSONRenderer):
    def render(self, data: Any, *args: Any, **kwargs: Any) -> bytes:
        if isinstance(data, RenderedJSON):
            return data.encode()
        rendered: bytes = super().render(data, *args, **kwargs)
        return rendered
