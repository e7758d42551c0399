import os
from collections.abc import Iterator
from io import StringIO

import psycopg2
import pymysql
import pytest
from django.conf import settings
from django.core.management import call_command
from rest_framework.test import APIClient

from dashboard.api import lean
from stats import services


def pytest_sessionstart(session: pytest.Session) -> None:
    """A store that is missing is told once, loudly; where CI runs it is a failure."""
    is_worker = hasattr(session.config, "workerinput")
    if not settings.IS_REAL or is_worker:
        return
    missing = [
        f"NOT TESTED on {name}, as none answers: {error}"
        for name, error in [("PostgreSQL", _postgres_error()), ("MariaDB", _mariadb_error())]
        if error
    ]
    if missing:
        pytest.exit("; ".join(missing), returncode=int(os.environ.get("CI") == "true"))


def _postgres_error() -> Exception | None:
    try:
        psycopg2.connect(f"{settings.POSTGRES_URL}/postgres", connect_timeout=3).close()
    except psycopg2.OperationalError as error:
        return error
    return None


def _mariadb_error() -> Exception | None:
    place = settings.DATABASES["repairjobs"]
    try:
        pymysql.connect(
            host=place["HOST"],
            port=int(place["PORT"] or 3306),
            user=place["USER"],
            password=place["PASSWORD"],
            connect_timeout=3,
        ).close()
    except pymysql.MySQLError as error:
        return error
    return None


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """The client's table is the client's to make, and so no migration makes it."""
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
    yield
    services.writer.close()
