"""Django REST framework, OpenAPI, API keys and rate limits."""

import limits
from django.core.exceptions import ImproperlyConfigured

from config.settings.environment import boolean, env
from config.settings.services import SERVES_ALL

# Limits of request bodies: one message or event, and a batch of messages.
MAX_BODY_BYTES = 64 * 1024
MAX_BATCH_BYTES = 16 * 1024 * 1024

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": [
        "common.api.json_format.JSONRenderer",
        "common.api.browsable.BrowsableAPIRenderer",
    ],
    # The forms of the browsable API send multipart bodies.
    "DEFAULT_PARSER_CLASSES": [
        "common.api.json_format.JSONParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "common.api.negotiation.ContentNegotiation",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "common.api.authentication.ApiKeyAuthentication",
        *(["common.api.authentication.AdminSessionAuthentication"] if SERVES_ALL else []),
    ],
    "DEFAULT_PERMISSION_CLASSES": ["common.api.permissions.ServicePermission"],
    "DEFAULT_THROTTLE_CLASSES": ["common.api.throttling.CallerRateThrottle"],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "common.api.pagination.KeysetPagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "common.api.errors.exception_handler",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "All services",
    "DESCRIPTION": (
        'A list is a JSON array. The header `Link: <…>; rel="next"` contains the URL of the next '
        "page."
    ),
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    # A PATCH serializer declares its own required fields.
    "COMPONENT_SPLIT_PATCH": False,
    "PREPROCESSING_HOOKS": ["common.api.openapi.exclude_trailing_slashes"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "common.api.openapi.add_parameter_examples",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "tryItOutEnabled": True,
        "syntaxHighlight": {"theme": "tomorrow-night"},
    },
    "ENABLE_DJANGO_DEPLOY_CHECK": False,
}

API_KEYS_REQUIRED = boolean("API_KEYS_REQUIRED", default=True)


def _rate_limit() -> str:
    rate: str = env.str("RATE_LIMIT", "60000/minute")
    if rate == "off":
        return ""
    try:
        limits.parse(rate)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"RATE_LIMIT must be off, or a rate such as 6000/minute, not {rate!r}."
        ) from error
    return rate


# Requests per caller and service. Empty: no limit.
RATE_LIMIT = _rate_limit()
# A Redis database, so that all processes share one count. Empty: each process has its own count.
RATE_LIMIT_URL = env.str("RATE_LIMIT_URL", "")
