"""Which format an answer has: JSON, CSV or a page."""

from collections.abc import Iterable
from urllib.parse import parse_qs

from django.http import HttpRequest
from rest_framework import negotiation, renderers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request


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
