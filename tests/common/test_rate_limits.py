import logging
import secrets

import pytest

from common.rate_limits import client_address, rate_limiter
from tests.common.routes import key_header
from tests.common.wsgi import MESSAGE, post
from tests.processes import PATIENCE

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.engine_independent]


@pytest.fixture(autouse=True)
def _two_requests_per_day(settings):
    """A window of a day does not end during a test."""
    settings.RATE_LIMIT = "2/day"


class TestRateLimit:
    @pytest.mark.parametrize("path", ["/stats", "/events", "/dashboard?hotel_id=1", "/jobs"])
    def test_each_service_limits_requests(self, api, path):
        responses = [api.get(path) for _ in range(3)]

        assert [response.status_code for response in responses] == [200, 200, 429]
        assert 86_000 < int(responses[2].headers["Retry-After"]) <= 86_400
        assert list(responses[2].json()) == ["detail"]

    @pytest.mark.django_db(transaction=True, databases="__all__")
    def test_the_fast_path_limits_requests(self):
        responses = [post({}) for _ in range(3)]

        assert [status for status, _, _ in responses] == [201, 200, 429]
        assert int(responses[2][1]["Retry-After"]) >= 1

    @pytest.mark.django_db(transaction=True, databases="__all__")
    def test_a_request_that_the_fast_path_passes_on_is_counted_once(self, api):
        bad = [post({}, content={**MESSAGE, "amount": "x"})[0] for _ in range(3)]
        reports = [api.get("/dashboard?hotel=1").status_code for _ in range(3)]

        assert bad == reports == [400, 400, 429]

    def test_each_service_counts_separately(self, api):
        for _ in range(3):
            api.get("/stats")

        assert api.get("/events").status_code == 200

    def test_each_address_is_counted_separately(self, api):
        for _ in range(3):
            last = api.get("/stats", REMOTE_ADDR="192.0.2.1")

        assert last.status_code == 429
        assert api.get("/stats", REMOTE_ADDR="192.0.2.2").status_code == 200

    def test_each_key_is_counted_separately(self, api, settings):
        settings.API_KEYS_REQUIRED = True
        first, second = key_header("stats"), key_header("stats")

        for _ in range(3):
            last = api.get("/stats", headers=first)

        assert last.status_code == 429
        assert api.get("/stats", headers=second).status_code == 200

    def test_each_admin_user_is_counted_separately(self, admin_client, settings):
        settings.API_KEYS_REQUIRED = True

        assert [admin_client.get("/stats").status_code for _ in range(3)] == [200, 200, 429]

    def test_the_limit_can_be_switched_off(self, api, settings):
        settings.RATE_LIMIT = ""

        assert {api.get("/stats").status_code for _ in range(5)} == {200}

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            *[("/healthz", 200), ("/readyz", 200), ("/metrics", 200)],
            *[("/schemas/stats_message.json", 200), ("/webhooks/vonage/status", 405)],
        ],
    )
    def test_open_paths_are_not_limited(self, api, path, status):
        assert {api.get(path).status_code for _ in range(4)} == {status}


class TestSharedCounts:
    def test_a_process_counts_alone_while_redis_is_unavailable(self, api, settings, caplog):
        settings.RATE_LIMIT_URL = "redis://127.0.0.1:1/0"

        with caplog.at_level(logging.WARNING, "common.rate_limits"):
            statuses = [api.get("/stats").status_code for _ in range(3)]

        assert statuses == [200, 200, 429]
        assert [record.name for record in caplog.records].count("common.rate_limits") == 1

    def test_processes_with_the_same_redis_count_together(self, settings, redis_url, monkeypatch):
        # With the real timeout, a slow server would make this process count alone.
        monkeypatch.setattr("common.rate_limits.SHARED_OPTIONS", {"socket_timeout": PATIENCE})
        settings.RATE_LIMIT_URL = redis_url
        one, other = rate_limiter.__wrapped__(), rate_limiter.__wrapped__()
        caller = secrets.token_hex()  # unknown to the server from earlier runs

        is_allowed = [limiter.count("stats", caller) is None for limiter in (one, other, one)]

        assert is_allowed == [True, True, False]


class TestClientAddress:
    ENVIRON = {"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9, 198.51.100.7"}

    def test_the_address_is_the_peers_without_a_trusted_proxy(self):
        assert client_address(self.ENVIRON) == "192.0.2.1"

    def test_the_address_is_the_last_one_that_a_trusted_proxy_reports(self, settings):
        settings.TRUST_PROXY = True

        assert client_address(self.ENVIRON) == "198.51.100.7"
        assert client_address({"REMOTE_ADDR": "192.0.2.1"}) == "192.0.2.1"
