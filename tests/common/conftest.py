from collections.abc import Iterator

import pytest

from tests.processes import not_tested
from tests.servers import NoServer, Redis, on_its_own


@pytest.fixture
def redis_url() -> Iterator[str]:
    """A database of a Redis that ends with the test."""
    try:
        with on_its_own(Redis) as url:
            yield f"{url}/13"
    except NoServer as error:
        not_tested(f"on Redis: {error}")
