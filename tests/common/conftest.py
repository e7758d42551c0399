from collections.abc import Iterator

import pytest

from tests.processes import not_tested
from tests.servers import NoServer, Redis, server_for_one_test


@pytest.fixture
def redis_url() -> Iterator[str]:
    """The URL of a database in a Redis server that stops after the test."""
    try:
        with server_for_one_test(Redis) as url:
            yield f"{url}/13"
    except NoServer as error:
        not_tested(f"on Redis: {error}")
