"""How operations are described."""

from typing import Any

from django.apps import apps
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse


class ServiceSchema(AutoSchema):
    """Operations stand together by their service."""

    def get_tags(self) -> list[str]:
        service = apps.get_containing_app_config(type(self.view).__module__)
        assert service is not None
        return [str(service.verbose_name)]


def error_response(why: str, content: dict[str, Any]) -> OpenApiResponse:
    """A refusal, with an example of what it says."""
    return OpenApiResponse(OpenApiTypes.OBJECT, why, [OpenApiExample("Refused", content)])


def list_response(serializer: Any, what: str, example: Any) -> OpenApiResponse:
    """A list, with an example of one of its rows."""
    return OpenApiResponse(serializer(many=True), what, [OpenApiExample("A row", example)])
