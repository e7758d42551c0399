import logging
import secrets

import pytest

from common.rate_limits import client_address, rate_limiter
from tests.common.doors import key
from tests.common.test_keys import MESSAGE, post
from tests.processes import PATIENCE

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.engine_independent]


@pytest.fixture(autouse=True)
def limited(settings):
    """Two requests a day: no window ends in the middle of a test."""
    settings.RATE_LIMIT = "2/day"


class TestTheRate:
    @pytest.mark.parametrize("path", ["/stats", "/events", "/dashboard?hotel_id=1", "/jobs"])
    def test_of_each_service_is_limited(self, api, path):
        answers = [api.get(path) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert 86_000 < int(answers[2].headers["Retry-After"]) <= 86_400  # of a day
        assert list(answers[2].json()) == ["detail"]

    @pytest.mark.django_db(transaction=True, databases="__all__")
    def test_of_messages_is_limited_before_the_fast_door(self):
        answers = [post({}) for _ in range(3)]

        assert [status for status, _, _ in answers] == [201, 200, 429]
        assert int(answers[2][1]["Retry-After"]) >= 1

    @pytest.mark.django_db(transaction=True, databases="__all__")
    def test_counts_what_a_fast_door_hands_on_once(self, api):
        bad = [post({}, content={**MESSAGE, "amount": "x"})[0] for _ in range(3)]
        reports = [api.get("/dashboard?hotel=1").status_code for _ in range(3)]

        assert bad == reports == [400, 400, 429]

    def test_is_a_services_own(self, api):
        for _ in range(3):
            api.get("/stats")

        assert api.get("/events").status_code == 200

    def test_is_an_addresss_own(self, api):
        for _ in range(3):
            last = api.get("/stats", REMOTE_ADDR="192.0.2.1")

        assert last.status_code == 429
        assert api.get("/stats", REMOTE_ADDR="192.0.2.2").status_code == 200

    def test_is_a_keys_own(self, api, settings):
        settings.API_KEYS_REQUIRED = True
        first, second = key("stats"), key("stats")

        for _ in range(3):
            last = api.get("/stats", headers=first)

        assert last.status_code == 429
        assert api.get("/stats", headers=second).status_code == 200

    def test_is_an_admin_users_own(self, admin_client, settings):
        settings.API_KEYS_REQUIRED = True

        assert [admin_client.get("/stats").status_code for _ in range(3)] == [200, 200, 429]

    def test_may_be_off(self, api, settings):
        settings.RATE_LIMIT = ""

        assert {api.get("/stats").status_code for _ in range(5)} == {200}

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            *[("/healthz", 200), ("/readyz", 200), ("/metrics", 200)],
            *[("/schemas/stats_message.json", 200), ("/webhooks/vonage/status", 405)],
        ],
    )
    def test_of_what_is_open_is_not_limited(self, api, path, status):
        assert {api.get(path).status_code for _ in range(4)} == {status}


class TestSharedCounts:
    def test_that_are_away_are_counted_alone_meanwhile(self, api, settings, caplog):
        settings.RATE_LIMIT_URL = "redis://127.0.0.1:1/0"

        with caplog.at_level(logging.WARNING, "common.rate_limits"):
            statuses = [api.get("/stats").status_code for _ in range(3)]

        assert statuses == [200, 200, 429]
        assert [each.name for each in caplog.records].count("common.rate_limits") == 1

    def test_are_one_for_all_processes(self, settings, redis_url, monkeypatch):
        # Who waits for them in vain counts alone: right for a request, and wrong for this test.
        monkeypatch.setattr("common.rate_limits.SHARED_OPTIONS", {"socket_timeout": PATIENCE})
        settings.RATE_LIMIT_URL = redis_url
        one, other = rate_limiter.__wrapped__(), rate_limiter.__wrapped__()

        caller = secrets.token_hex()  # the server may know others, of earlier runs

        welcome = [each.count("stats", caller) is None for each in (one, other, one)]

        assert welcome == [True, True, False]


class TestAnAddress:
    ENVIRON = {"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9, 198.51.100.7"}

    def test_is_the_connections(self):
        assert client_address(self.ENVIRON) == "192.0.2.1"

    def test_is_what_a_trusted_proxy_saw_last(self, settings):
        settings.TRUST_PROXY = True

        assert client_address(self.ENVIRON) == "198.51.100.7"
        assert client_address({"REMOTE_ADDR": "192.0.2.1"}) == "192.0.2.1"
