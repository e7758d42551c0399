"""All routes of the project, read from the URLconf."""

from collections.abc import Iterator
from typing import NamedTuple

from django.urls import URLPattern, URLResolver, get_resolver

from common.api_keys.models import ApiKey

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
OPEN = {"healthz", "readyz", "metrics", "docs", "schema", "schemas", "webhooks", "admin"}
PARAMETERS = {
    "<str:uuid>": "a596b362-08be-419f-8070-9c3055566e7c",
    "<str:part_id>": "1",
    "<str:job_id>": "123",
}


class Route(NamedTuple):
    path: str
    service: str


def key_header(*services: str, **fields: object) -> dict[str, str]:
    """Create an API key and return its header."""
    _, key = ApiKey.objects.create_key(name="test", services=list(services), **fields)
    return {"Authorization": f"Api-Key {key}"}


def protected_routes() -> list[Route]:
    """Return all routes except those that the contract opens to everybody."""
    routes = []
    for pattern in _patterns(get_resolver()):
        path = "/" + str(pattern.pattern)
        for placeholder, value in PARAMETERS.items():
            path = path.replace(placeholder, value)
        assert "<" not in path
        if path.split("/")[1] not in OPEN:
            routes.append(Route(path, pattern.callback.__module__.partition(".")[0]))
    return routes


def _patterns(resolver: URLResolver) -> Iterator[URLPattern]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield pattern
        elif str(pattern.pattern) != "admin/":
            yield from _patterns(pattern)
