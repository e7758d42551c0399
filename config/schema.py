"""OpenAPI: what the documents leave out."""

from typing import Any


def without_trailing_slashes(endpoints: list[tuple[Any, ...]], **kwargs: Any) -> list[Any]:
    """Each path answers with and without a slash; one of both is enough to read."""
    return [endpoint for endpoint in endpoints if not endpoint[0].endswith("/")]
