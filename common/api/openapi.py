"""The OpenAPI documents: tags, examples, authentication, and helpers for ``api/docs.py``."""

from typing import Any

from django.apps import apps
from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse

from common.api.authentication import AdminSessionAuthentication, ApiKeyAuthentication
from common.service import served_services


class ServiceSchema(AutoSchema):
    """Group operations by their service."""

    def get_tags(self) -> list[str]:
        service = apps.get_containing_app_config(type(self.view).__module__)
        assert service is not None
        return [str(service.verbose_name)]


def error_response(description: str, content: dict[str, Any]) -> OpenApiResponse:
    """Describe an error response by an example of its body."""
    return OpenApiResponse(OpenApiTypes.OBJECT, description, [OpenApiExample("Error", content)])


def list_response(serializer: Any, description: str, example: Any) -> OpenApiResponse:
    """Describe a list by an example of one row."""
    return OpenApiResponse(serializer(many=True), description, [OpenApiExample("A row", example)])


def exclude_trailing_slashes(endpoints: list[tuple[Any, ...]], **kwargs: Any) -> list[Any]:
    """Keep one of the two spellings of each path (see ``common.urls.optional_slash``)."""
    return [endpoint for endpoint in endpoints if not endpoint[0].endswith("/")]


def add_parameter_examples(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Add the services' examples of required parameters, so that Swagger UI can send a request."""
    examples = {
        name: example
        for service in served_services()
        for name, example in service.parameter_examples.items()
    }
    for operations in result["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                if parameter.get("required") and parameter["name"] in examples:
                    parameter.setdefault("example", examples[parameter["name"]])
    return result


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = ApiKeyAuthentication
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "The word `Api-Key`, a space and the key.",
        }


class AdminSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = AdminSessionAuthentication
    name = "AdminSessionAuthentication"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
