import os
from collections.abc import Iterator

import psycopg2
import pytest
from django.conf import settings
from rest_framework.test import APIClient

from dashboard.api import lean
from stats import services


def pytest_sessionstart(session: pytest.Session) -> None:
    """A store that is missing is told once, loudly; where CI runs it is a failure."""
    is_worker = hasattr(session.config, "workerinput")
    if not settings.IS_REAL or is_worker:
        return
    try:
        psycopg2.connect(f"{settings.POSTGRES_URL}/postgres", connect_timeout=3).close()
    except psycopg2.OperationalError as error:
        reason = f"NOT TESTED on PostgreSQL, as none answers at POSTGRES_URL: {error}"
        pytest.exit(reason, returncode=int(os.environ.get("CI") == "true"))


@pytest.fixture
def api() -> APIClient:
    return APIClient()


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    """Answers are kept by the state of the stores, which tests roll back; threads end."""
    lean.kept_answer.cache_clear()
    yield
    services.writer.close()
