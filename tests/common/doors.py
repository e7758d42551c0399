"""Every door of the project, as the URLconf has them."""

from collections.abc import Iterator
from typing import NamedTuple

from django.urls import URLPattern, URLResolver, get_resolver

from common.api_keys.models import ApiKey

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
OPEN = {"healthz", "readyz", "metrics", "docs", "schema", "schemas", "webhooks", "admin"}
FILLED = {"<str:uuid>": "a596b362-08be-419f-8070-9c3055566e7c", "<str:part_id>": "1"}


class Door(NamedTuple):
    path: str
    service: str


def key(*services: str, **fields: object) -> dict[str, str]:
    """The header of a new key."""
    _, text = ApiKey.objects.create_key(name="test", services=list(services), **fields)
    return {"Authorization": f"Api-Key {text}"}


def closed_doors() -> list[Door]:
    """All routes but those that the contract opens to all."""
    doors = []
    for pattern in _patterns(get_resolver()):
        path = "/" + str(pattern.pattern)
        for placeholder, value in FILLED.items():
            path = path.replace(placeholder, value)
        path = path.replace("<str:job_id>", "123")
        assert "<" not in path
        if path.split("/")[1] not in OPEN:
            doors.append(Door(path, pattern.callback.__module__.partition(".")[0]))
    return doors


def _patterns(resolver: URLResolver) -> Iterator[URLPattern]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield pattern
        elif str(pattern.pattern) != "admin/":
            yield from _patterns(pattern)
