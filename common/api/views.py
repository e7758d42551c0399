"""Base classes of the API's views: unknown parameters and large bodies are errors."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework import views
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request, is_form_media_type
from rest_framework.response import Response

from common.api.errors import BodyTooLarge
from common.api.openapi import ServiceSchema
from common.api.parsing import check_parameters

MAX_TYPED = settings.MAX_BODY_BYTES  # more was not typed into a form


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
            response.add_post_render_callback(break_reference_cycle)
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
        if request.accepted_renderer.format == "api" and not is_form and length <= MAX_TYPED:
            self.typed = request._request.body.decode(errors="replace")
        check_parameters(request.query_params, self.known_parameters())


class OpenView(StrictView):
    """A view that is open to all, without a key and without a limit to their rate."""

    authentication_classes = []
    permission_classes = []
    throttle_classes = []


def break_reference_cycle(response: Response) -> None:
    response.renderer_context = {}  # type: ignore[attr-defined]  # it names the response
