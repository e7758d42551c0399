from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path


def optional_slash(route: str, view: Callable[..., Any], name: str) -> list[URLPattern]:
    """Return the route with and without a trailing slash. Neither redirects to the other."""
    return [path(route, view, name=name), path(f"{route}/", view, name=f"{name}-slash")]
