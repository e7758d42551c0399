import os
from collections.abc import Iterator
from io import StringIO

import hypothesis
import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import TransactionTestCase
from rest_framework.test import APIClient

from common.api_keys.cache import api_key_cache
from common.rate_limits import rate_limiter
from dashboard.api import lean
from stats import services
from tests.databases import empty_databases

# How fast a busy machine is says nothing about what is tested; where CI runs, each run is the same.
hypothesis.settings.register_profile(
    "ours", deadline=None, derandomize=os.environ.get("CI") == "true"
)
hypothesis.settings.load_profile("ours")


def pytest_sessionstart(session: pytest.Session) -> None:
    """A store that is missing is told once, loudly; where CI runs it is a failure."""
    if settings.MISSING:
        reason = "; ".join(dict.fromkeys(settings.MISSING))
        pytest.exit(reason, returncode=int(os.environ.get("CI") == "true"))


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Create the client's table, which no migration does; empty databases our way."""
    TransactionTestCase._fixture_teardown = empty_databases
    client = settings.DATABASES["client"]
    if client["NAME"] != client["TEST"]["NAME"]:
        return  # no test that was selected asks for it
    with django_db_blocker.unblock():
        call_command("create_client_database", verbosity=0, stdout=StringIO())


@pytest.fixture
def api() -> APIClient:
    return APIClient()


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    """Answers are kept by the state of the stores, which tests roll back; threads end."""
    lean.kept_answer.cache_clear()
    api_key_cache.forget()
    rate_limiter.cache_clear()
    yield
    services.writer.close()
