"""The database goes away under the service, and comes back."""

import pytest
from django.conf import settings
from django.db import connection, connections

from stats import ledger, services
from stats.models import Message
from tests.stats.factories import sent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def broken_address():
    """Point new connections to where no store is, until told otherwise."""
    database = connections.settings["default"]
    real = {name: database[name] for name in ("HOST", "PORT", "NAME")}

    def point(is_unavailable):
        away = {"HOST": "127.0.0.1", "PORT": "1", "NAME": "/nowhere/at/all.sqlite3"}
        if settings.ON_SERVERS:
            away["NAME"] = real["NAME"]
        database.update(away if is_unavailable else real)

    yield point
    point(is_unavailable=False)


def end_sessions():
    """Cut every session with the store, as a restart of its server does."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


class TestAStoreThatIsAway:
    def test_is_503_and_serves_again_without_a_restart(self, door, broken_address):
        first, second, third = sent(), sent(), sent()
        assert door.post("/messages", first).status_code == 201

        end_sessions()
        broken_address(True)
        services.writer.close()  # SQLite has no sessions to cut
        refused = [door.post("/messages", second) for _ in range(2)]
        broken_address(False)
        accepted = [door.post("/messages", message) for message in (second, third)]

        assert [it.status_code for it in refused] == [503, 503]
        assert all(it.headers["Retry-After"] and it.json["detail"] for it in refused)
        assert [it.status_code for it in accepted] == [201, 201]
        assert Message.objects.count() == 3
        assert ledger.differences() == []

    def test_is_not_noticed_if_only_the_session_was_cut(self, door):
        door.post("/messages", sent())

        end_sessions()

        assert door.post("/messages", sent()).status_code == 201

    @pytest.mark.skipif(not settings.ON_SERVERS, reason="SQLite has no read-only sessions")
    @pytest.mark.parametrize("path", ["/messages", "/messages/batch"])
    def test_is_503_while_it_is_read_only(self, door, path):
        def make_read_only(flag):
            with connection.cursor() as cursor:
                name = connection.settings_dict["NAME"]
                cursor.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {flag}")
            end_sessions()

        body = sent() if path == "/messages" else [sent()]
        make_read_only("on")
        connection.close()
        try:
            refused = door.post(path, body)
        finally:
            connection.close()
            with connection.cursor() as cursor:
                cursor.execute("SET default_transaction_read_only = off")
            make_read_only("off")
            connection.close()

        assert refused.status_code == 503
        assert refused.headers["Retry-After"]
        assert door.post(path, body).status_code in {200, 201}
        assert Message.objects.count() == 1
