"""OpenAPI: what the documents leave out, and how callers show who they are."""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension

from config.api.access import AdminSession, KeyAuthentication


def without_trailing_slashes(endpoints: list[tuple[Any, ...]], **kwargs: Any) -> list[Any]:
    """Each path answers with and without a slash; one of both is enough to read."""
    return [endpoint for endpoint in endpoints if not endpoint[0].endswith("/")]


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = KeyAuthentication
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Key ` and the key, with the word and a blank before it.",
        }


class AdminSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = AdminSession
    name = "AdminSession"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
