import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from io import StringIO

import hypothesis
import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import TestCase, TransactionTestCase
from rest_framework.test import APIClient

from common.api_keys.cache import api_key_cache
from common.rate_limits import rate_limiter
from dashboard.api.cached_view import cached_response
from stats.services.recording import writer as message_writer
from tests.databases import empty_databases

SharedRows = Callable[..., AbstractContextManager[None]]

# A slow machine fails no test. In CI every run tries the same examples.
hypothesis.settings.register_profile(
    "quick", max_examples=20, deadline=None, derandomize=os.environ.get("CI") == "true"
)
# `make soak` asks for it by --hypothesis-profile.
hypothesis.settings.register_profile("thorough", max_examples=200, deadline=None)
hypothesis.settings.load_profile("quick")


def pytest_sessionstart(session: pytest.Session) -> None:
    """End the run if a server is missing: with a warning on a laptop, as a failure in CI."""
    if settings.MISSING_SERVERS:
        reason = "; ".join(dict.fromkeys(settings.MISSING_SERVERS))
        pytest.exit(reason, returncode=int(os.environ.get("CI") == "true"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if settings.ON_SERVERS:
        skipped = [item for item in items if not depends_on_the_engine(item)]
        config.hook.pytest_deselected(items=skipped)
        items[:] = [item for item in items if depends_on_the_engine(item)]
    # Long files first, so that at the end no core waits for one of them. Files that start
    # processes take longest.
    starting = {item.path for item in items if item.get_closest_marker("processes")}
    counts = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path not in starting, -counts[item.path], item.path))


def depends_on_the_engine(item: pytest.Item) -> bool:
    """Return whether the test must run on PostgreSQL and MariaDB as well as on SQLite."""
    if item.get_closest_marker("processes") or item.get_closest_marker("engine_independent"):
        return False
    fixtures = {"db", "transactional_db", "live_server"} & set(getattr(item, "fixturenames", ()))
    return bool(fixtures or item.get_closest_marker("django_db"))


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Create the client's table, which no migration does; empty databases our way."""
    TransactionTestCase._fixture_teardown = empty_databases
    client = settings.DATABASES["client"]
    if client["NAME"] != client["TEST"]["NAME"]:
        return  # no selected test uses it
    with django_db_blocker.unblock():
        call_command("create_client_database", verbosity=0, stdout=StringIO())


@pytest.fixture(scope="class")
def shared_rows(django_db_setup, django_db_blocker) -> SharedRows:
    """Let a class-scoped fixture write rows that every test of the class reads.

    The rows are written once, in ``with shared_rows("repairjobs", "client"):``, and rolled back
    after the last test of the class. What a test changes is rolled back as usual.
    """

    @contextmanager
    def shared(*aliases: str) -> Iterator[None]:
        test_case = type("SharedRows", (TestCase,), {"databases": set(aliases)})
        with django_db_blocker.unblock():
            atomics = test_case._enter_atomics()
            try:
                yield
            finally:
                test_case._rollback_atomics(atomics)

    return shared


@pytest.fixture
def api() -> APIClient:
    return APIClient()


@pytest.fixture(autouse=True)
def _no_shared_state() -> Iterator[None]:
    """Forget what a process caches of its databases, which the next test changes; end threads."""
    cached_response.cache_clear()
    api_key_cache.clear()
    rate_limiter.cache_clear()
    yield
    message_writer.close()
