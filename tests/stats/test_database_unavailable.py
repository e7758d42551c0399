"""The database becomes unavailable while the service runs, and recovers."""

import pytest
from django.db import connection

from stats.models import Message
from stats.services.verification import find_differences
from tests.stats.conftest import end_sessions
from tests.stats.factories import message_json

pytestmark = pytest.mark.django_db(transaction=True)


class TestUnavailableDatabase:
    def test_messages_get_503_during_an_outage_and_are_accepted_after_it(self, route, outage):
        first, second, third = message_json(), message_json(), message_json()
        assert route.post("/messages", first).status_code == 201

        outage.begin()
        unavailable = [route.post("/messages", second) for _ in range(2)]
        outage.end()
        accepted = [route.post("/messages", message) for message in (second, third)]

        assert [response.status_code for response in unavailable] == [503, 503]
        assert all(response.headers["Retry-After"] for response in unavailable)
        assert all(response.json["detail"] for response in unavailable)
        assert [response.status_code for response in accepted] == [201, 201]
        assert Message.objects.count() == 3
        assert find_differences() == []

    def test_message_is_accepted_after_the_sessions_have_ended(self, route):
        route.post("/messages", message_json())

        end_sessions()

        assert route.post("/messages", message_json()).status_code == 201

    @pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no read-only sessions")
    @pytest.mark.parametrize("path", ["/messages", "/messages/batch"])
    def test_messages_get_503_while_the_database_is_read_only(self, route, path):
        def make_read_only(flag):
            with connection.cursor() as cursor:
                name = connection.settings_dict["NAME"]
                cursor.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {flag}")
            end_sessions()

        body = message_json() if path == "/messages" else [message_json()]
        make_read_only("on")
        connection.close()
        try:
            unavailable = route.post(path, body)
        finally:
            connection.close()
            with connection.cursor() as cursor:
                cursor.execute("SET default_transaction_read_only = off")
            make_read_only("off")
            connection.close()

        assert unavailable.status_code == 503
        assert unavailable.headers["Retry-After"]
        assert route.post(path, body).status_code in {200, 201}
        assert Message.objects.count() == 1
