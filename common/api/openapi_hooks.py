"""OpenAPI: what the documents leave out, and how callers show who they are."""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension

from common.api.authentication import AdminSessionAuthentication, ApiKeyAuthentication

# What the operations' own examples tell of.
EXAMPLES = {
    "hotel_id": 1,
    "job_id": 1,
    "part_id": 1,
    "uuid": "a596b362-08be-419f-8070-9c3055566e7c",
}


def exclude_trailing_slashes(endpoints: list[tuple[Any, ...]], **kwargs: Any) -> list[Any]:
    """Each path answers with and without a slash; one of both is enough to read."""
    return [endpoint for endpoint in endpoints if not endpoint[0].endswith("/")]


def add_parameter_examples(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Each operation can be tried out as it stands: what it must be given has an example."""
    for operations in result["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                if parameter.get("required") and parameter["name"] in EXAMPLES:
                    parameter.setdefault("example", EXAMPLES[parameter["name"]])
    return result


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = ApiKeyAuthentication
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Key ` and the key, with the word and a blank before it.",
        }


class AdminSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = AdminSessionAuthentication
    name = "AdminSessionAuthentication"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
