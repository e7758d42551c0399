"""Choose the format of a response: JSON, CSV or an HTML page."""

from collections.abc import Iterable
from urllib.parse import parse_qs

from django.http import HttpRequest
from rest_framework import negotiation, renderers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from common.api.parsing import must_be


class ContentNegotiation(negotiation.DefaultContentNegotiation):
    """DRF's negotiation, but the ``format`` parameter overrides the ``Accept`` header."""

    def get_accept_list(self, request: Request) -> list[str]:
        accepted: list[str] = super().get_accept_list(request)
        return [*accepted, "*/*"] if "format" in request.query_params else accepted

    def filter_renderers(
        self, renderers: Iterable[renderers.BaseRenderer], format: str
    ) -> list[renderers.BaseRenderer]:
        matching = [renderer for renderer in renderers if renderer.format == format]
        if not matching:
            allowed = " or ".join(str(renderer.format) for renderer in renderers)
            raise ValidationError({"format": [must_be(allowed, format)]})
        return matching


def wants_page(request: HttpRequest | Request) -> bool:
    """Return whether the response is an HTML page, by the ``format`` parameter or by ``Accept``."""
    if formats := parse_qs(request.META.get("QUERY_STRING", "")).get("format"):
        return formats == ["api"]
    return request.get_preferred_type(["application/json", "text/html"]) == "text/html"
