"""Strict JSON: parsing request bodies and rendering answers."""

import json
import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import IO, Any

from rest_framework import parsers, renderers
from rest_framework.exceptions import ParseError

MAX_DIGITS = 4_000  # Python reads no more than 4,300


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _read_number(text: str) -> int | float:
    """Read a number with a point or an exponent; ``1.0`` is an integer, as JSON Schema has it.

    What is no whole number, but one for a float, is infinite: bad where it is used.
    """
    number = float(text)
    if not number.is_integer():
        return number
    try:
        exact = Decimal(text)
    except InvalidOperation:  # an exponent that no decimal can have
        return math.inf
    return int(exact) if exact == exact.to_integral_value() else math.inf


# One for all: json.loads would make a new one each time.
_decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_read_number)


# A number with too many digits to be read is infinite: bad where it is used, not elsewhere.
_lenient_decoder = json.JSONDecoder(
    parse_constant=_refuse_constant,
    parse_float=_read_number,
    parse_int=lambda text: int(text) if len(text) < MAX_DIGITS else math.inf,
)


def parse_json(body: bytes) -> Any:
    """Read UTF-8 JSON.

    :raises ParseError: if it is not, is nested too deeply, or holds what no text can (a lone
        surrogate).
    """
    content = _decode(_decoder, body)
    if b"\\u" in body and not is_text(content):
        raise ParseError("JSON parse error - a lone surrogate is no text")
    return content


def parse_json_leniently(body: bytes) -> Any:
    """Read UTF-8 JSON whose parts are judged one by one: lone surrogates and endless numbers pass.

    :raises ParseError: if it is not JSON, or is nested too deeply.
    """
    return _decode(_lenient_decoder, body)


def is_text(content: Any) -> bool:
    """Whether JSON content has no lone surrogate in it."""
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
    """JSON text that a store has rendered already."""


class JSONRenderer(renderers.JSONRenderer):
    def render(self, data: Any, *args: Any, **kwargs: Any) -> bytes:
        if isinstance(data, RenderedJSON):
            return data.encode()
        rendered: bytes = super().render(data, *args, **kwargs)
        return rendered
