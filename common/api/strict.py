"""Strict views, and filters that tell their users what they take."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import django_filters
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError as InvalidValue
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.drainage import set_override
from rest_framework import views
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request, is_form_media_type
from rest_framework.response import Response

from common.api.errors import BodyTooLarge
from common.api.openapi import ServiceSchema
from common.api.parsing import check_parameters, to_day, to_instant, to_whole_number

MOST_TYPED = settings.MAX_BODY_BYTES  # more was not typed into a form


class StrictView(views.APIView):
    """A view that refuses unknown query parameters and bodies over ``max_body_bytes``."""

    max_body_bytes: int = settings.MAX_BODY_BYTES
    typed: str | None = None  # the body that came from a page's form for raw data
    schema = ServiceSchema()

    def known_parameters(self) -> Mapping[str, str]:
        """Each query parameter that this action takes, with what is allowed for it."""
        filterset = getattr(self, "filterset_class", None)
        if filterset is None or getattr(self, "action", None) != "list":
            return {}
        return {name: item.extra["help_text"] for name, item in filterset.base_filters.items()}

    def example(self, method: str) -> Any:
        """What the form of a method begins with; None if nothing."""
        return None

    def related(self, content: Any) -> list[tuple[str, str]]:
        """What a person may want to see next to this answer: what it is, path."""
        return []

    def get_authenticators(self) -> list[BaseAuthentication]:
        return super().get_authenticators() if settings.API_KEYS_REQUIRED else []

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = super().dispatch(request, *args, **kwargs)
        # DRF's views, requests and answers know each other in circles. A large answer in one
        # would stay until Python's collector comes by, hundreds of pages later.
        del self.response
        if isinstance(response, Response):
            response.add_post_render_callback(leave_the_circle)
        return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        is_known = hasattr(self, str(request.method).lower())
        if not is_known or request.method == "OPTIONS":
            return  # DRF answers 405, or what this view can do
        length = int(request.META.get("CONTENT_LENGTH") or 0)
        if length > self.max_body_bytes:
            raise BodyTooLarge(self.max_body_bytes)
        is_form = is_form_media_type(request.content_type)
        if request.accepted_renderer.format == "api" and not is_form and length <= MOST_TYPED:
            self.typed = request._request.body.decode(errors="replace")
        check_parameters(request.query_params, self.known_parameters())


class OpenView(StrictView):
    """A view that is open to all, without a key and without a limit to their rate."""

    authentication_classes = []
    permission_classes = []
    throttle_classes = []


def leave_the_circle(response: Response) -> None:
    response.renderer_context = {}  # type: ignore[attr-defined]  # it names the response


class StrictField(forms.CharField):
    """A form field of one query parameter: ``parse`` it, or say what is allowed."""

    def __init__(self, **kwargs: Any) -> None:
        self.allowed = kwargs["help_text"]
        super().__init__(**kwargs)

    def parse(self, text: str) -> Any:
        raise NotImplementedError

    def clean(self, value: Any) -> Any:
        if value in self.empty_values:
            return None
        try:
            return self.parse(str(value))
        except ValueError as error:
            raise InvalidValue(f"Not allowed; allowed: {self.allowed}.") from error


class WholeNumberField(StrictField):
    def parse(self, text: str) -> int:
        number = to_whole_number(text)
        if number is None:
            raise ValueError(text)
        return number


class InstantField(StrictField):
    is_upper_bound = False

    def parse(self, text: str) -> datetime:
        return to_instant(text, is_upper_bound=self.is_upper_bound)


class LastInstantField(InstantField):
    is_upper_bound = True


class DayField(StrictField):
    def parse(self, text: str) -> date:
        return to_day(text)


INSTANT_SCHEMA = {
    "anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]
}


class StrictFilter(django_filters.Filter):
    """A filter that tells its users what it takes (``help_text``)."""

    allowed = ""
    schema: dict[str, Any] = {"type": "string"}  # of OpenAPI

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("help_text", self.allowed)
        super().__init__(*args, **kwargs)
        set_override(self, "field", {**self.schema, "description": self.extra["help_text"]})


class WholeNumberFilter(StrictFilter):
    field_class = WholeNumberField
    allowed = "a whole number of at most 64 bits"
    schema = {"type": "integer", "format": "int64"}


class SinceFilter(StrictFilter):
    field_class = InstantField
    schema = INSTANT_SCHEMA
    allowed = "an ISO 8601 date or datetime (2020-01-31, 2020-01-31T12:00:00Z)"


class UntilFilter(StrictFilter):
    field_class = LastInstantField
    schema = INSTANT_SCHEMA
    allowed = f"{SinceFilter.allowed}; the whole of a date belongs to it"


class DayFilter(StrictFilter):
    field_class = DayField
    allowed = "an ISO 8601 date (2020-01-31)"
    schema = {"type": "string", "format": "date"}
