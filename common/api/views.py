"""Base classes of the API's views. They reject unknown parameters and large bodies."""

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

MAX_RAW_BODY = settings.MAX_BODY_BYTES  # enough for text that is typed into a form


class StrictView(views.APIView):
    """A view that rejects unknown query parameters and bodies over ``max_body_bytes``."""

    max_body_bytes: int = settings.MAX_BODY_BYTES
    raw_body: str | None = None  # the input of the browsable API's form for raw data
    schema = ServiceSchema()

    def known_parameters(self) -> Mapping[str, str]:
        """Return the query parameters of this action, each with a description of allowed values."""
        filterset = getattr(self, "filterset_class", None)
        if filterset is None or getattr(self, "action", None) != "list":
            return {}
        return {name: item.extra["help_text"] for name, item in filterset.base_filters.items()}

    def example(self, method: str) -> Any:
        """Return an example body for the browsable API's form of this method, or None."""
        return None

    def related(self, content: Any) -> list[tuple[str, str]]:
        """Return links to related pages for the browsable API: (title, path)."""
        return []

    def get_authenticators(self) -> list[BaseAuthentication]:
        return super().get_authenticators() if settings.API_KEYS_REQUIRED else []

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = super().dispatch(request, *args, **kwargs)
        # DRF's view, request and response reference each other. A large response in such a cycle
        # stays in memory until Python's cyclic garbage collector runs.
        del self.response
        if isinstance(response, Response):
            response.add_post_render_callback(break_reference_cycle)
        return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        has_handler = hasattr(self, str(request.method).lower())
        if not has_handler or request.method == "OPTIONS":
            return  # DRF responds with 405 or with the metadata
        length = int(request.META.get("CONTENT_LENGTH") or 0)
        if length > self.max_body_bytes:
            raise BodyTooLarge(self.max_body_bytes)
        is_form = is_form_media_type(request.content_type)
        if request.accepted_renderer.format == "api" and not is_form and length <= MAX_RAW_BODY:
            self.raw_body = request._request.body.decode(errors="replace")
        check_parameters(request.query_params, self.known_parameters())


class OpenView(StrictView):
    """A view without authentication and without a rate limit."""

    authentication_classes = []
    permission_classes = []
    throttle_classes = []


def break_reference_cycle(response: Response) -> None:
    response.renderer_context = {}  # type: ignore[attr-defined]  # it references the response
