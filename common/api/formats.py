"""Bodies in, answers out."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import IO, Any
from urllib.parse import parse_qs

from django.http import HttpRequest
from django.utils.html import conditional_escape
from django.utils.safestring import mark_safe
from rest_framework import negotiation, parsers, renderers
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.request import Request

MOST_DIGITS = 4_000  # Python reads no more than 4,300
CODE = re.compile("`([^`]+)`")  # in a docstring


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
    parse_int=lambda text: int(text) if len(text) < MOST_DIGITS else math.inf,
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


def parse_many(body: bytes) -> Any:
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


class BrowsableAPIRenderer(renderers.BrowsableAPIRenderer):
    """DRF's pages, with links to what is related, and forms that begin with an example.

    Forms name fields as the API does, and keep what was sent if it is refused.
    Forms that ask send only what was filled in (``common/forms.js``).
    """

    def get_context(
        self, data: Any, accepted_media_type: str | None, renderer_context: Mapping[str, Any]
    ) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(data, accepted_media_type, renderer_context)
        if not context["response"].exception:
            context["related"] = renderer_context["view"].related(data)
        elif is_form_only(context):
            context["is_form_only"] = True
        elif isinstance(data, dict):
            reasons = [(name, why) for name, why in data.items() if isinstance(why, list)]
            context |= {"refusals": reasons, "refused": [name for name, _ in reasons]}
        return context

    def get_description(self, view: Any, status_code: int) -> Any:
        description = conditional_escape(super().get_description(view, status_code))
        return mark_safe(CODE.sub(r"<code>\1</code>", description))  # noqa: S308 (escaped above)

    def get_filter_form(self, data: Any, view: Any, request: Any) -> Any:
        return super().get_filter_form(data, view, request) if isinstance(data, list) else None

    def get_raw_data_form(self, data: Any, view: Any, method: str, request: Any) -> Any:
        form = super().get_raw_data_form(data, view, method, request)
        example = view.example(method)
        if form and self._is_refused(request, method) and view.typed is not None:
            form.fields["_content"].initial = view.typed
            form.fields["_content_type"].initial = request.content_type.partition(";")[0]
        elif form and example is not None:
            form.fields["_content"].initial = json.dumps(example, indent=4, ensure_ascii=False)
        return form

    def _is_refused(self, request: Request, method: str) -> bool:
        response = self.renderer_context["response"]  # type: ignore[attr-defined]
        return bool(request.method == method and response.exception)

    def render_form_for_serializer(self, serializer: Any) -> Any:
        view = self.renderer_context["view"]  # type: ignore[attr-defined]
        if not hasattr(serializer, "initial_data") and serializer.instance is None:
            for name, value in (view.example("POST") or {}).items():
                serializer.fields[name].initial = value
        for name, field in serializer.fields.items():
            field.label = name
        return super().render_form_for_serializer(serializer)


def is_form_only(context: Mapping[str, Any]) -> bool:
    """Whether somebody opened what can only be posted to: they want its form, not the 405."""
    is_refused = context["request"].method == "GET" and context["response"].status_code == 405
    return is_refused and context["raw_data_post_form"] is not None


class ContentNegotiation(negotiation.DefaultContentNegotiation):
    """DRF's, but ``format`` in the URL says it all, whatever ``Accept`` asks for."""

    def get_accept_list(self, request: Request) -> list[str]:
        accepted: list[str] = super().get_accept_list(request)
        return [*accepted, "*/*"] if "format" in request.query_params else accepted

    def filter_renderers(
        self, renderers: Iterable[renderers.BaseRenderer], format: str
    ) -> list[renderers.BaseRenderer]:
        found = [renderer for renderer in renderers if renderer.format == format]
        if not found:
            allowed = " or ".join(str(renderer.format) for renderer in renderers)
            raise ValidationError({"format": [f"Not allowed; allowed: {allowed}."]})
        return found


def wants_page(request: HttpRequest | Request) -> bool:
    """Whether a person's browser asks, rather than a program; ``format`` in the URL says it all."""
    if asked := parse_qs(request.META.get("QUERY_STRING", "")).get("format"):
        return asked == ["api"]
    return request.get_preferred_type(["application/json", "text/html"]) == "text/html"
