import html
import re
import sys
from datetime import date, timedelta
from io import StringIO

import pytest
import requests
import responses
import time_machine
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from common.api_keys import cache as cache_module
from common.api_keys.cache import api_key_cache
from common.api_keys.models import ApiKey
from common.http_client import RemoteServiceUnavailable
from dashboard.integrations import data_provider
from dataprovider.integrations import events_api
from repairjobs.integrations import sandbox_api
from tests.common.databases import failing_database
from tests.common.routes import METHODS, key_header, protected_routes
from tests.common.wsgi import post
from tests.processes import (
    PATIENCE,
    answers,
    copy_migrated_databases,
    environment,
    eventually,
    free_port,
    manage,
    running,
)

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.engine_independent]

SERVICES = ["stats", "dataprovider", "dashboard", "repairjobs"]
ROUTES = protected_routes()
OTHERS = dict(zip(SERVICES, [*SERVICES[1:], SERVICES[0]], strict=True))
# A path of each service that returns 200.
PATHS = {
    "stats": "/stats",
    "dataprovider": "/events",
    "dashboard": "/dashboard?hotel_id=1",
    "repairjobs": "/jobs",
}
BROWSER = {"Accept": "text/html,*/*;q=0.8"}


@pytest.fixture(autouse=True)
def _keys_are_required(settings):
    settings.API_KEYS_REQUIRED = True


@pytest.fixture
def clock(monkeypatch):
    """The cache's clock in seconds. A test sets it."""

    class Clock:
        now = 1_000.0

    monkeypatch.setattr(cache_module, "monotonic", lambda: Clock.now)
    return Clock


class TestRoutes:
    def test_the_list_of_routes_is_complete(self):
        paths = {route.path for route in ROUTES}

        assert len(paths) == len(ROUTES) > 30
        assert paths >= {"/", "/messages", "/stats/", "/events", "/dashboard", "/jobs/123/parts/1"}
        assert {route.service for route in ROUTES} == {"common", *SERVICES}

    @pytest.mark.parametrize("method", METHODS)
    def test_every_route_returns_401_without_a_key(self, api, method):
        for route in ROUTES:
            response = api.generic(method, route.path)

            assert response.status_code == 401, route
            assert response.headers["WWW-Authenticate"] == "Api-Key"
            assert method == "HEAD" or list(response.json()) == ["detail"]

    @pytest.mark.parametrize("method", METHODS)
    def test_every_route_returns_401_for_a_wrong_key(self, api, method):
        for route in ROUTES:
            response = api.generic(method, route.path, headers={"Authorization": "Api-Key abc.def"})

            assert response.status_code == 401, route
            assert response.headers["WWW-Authenticate"] == "Api-Key"

    @pytest.mark.parametrize("method", METHODS)
    def test_every_route_returns_403_for_a_key_of_another_service(self, api, method):
        keys = {service: key_header(OTHERS[service]) for service in SERVICES}

        for route in ROUTES:
            if route.service in SERVICES:
                response = api.generic(method, route.path, headers=keys[route.service])

                assert response.status_code == 403, route
                assert method == "HEAD" or route.service in response.json()["detail"]

    @pytest.mark.parametrize("method", METHODS)
    def test_every_route_accepts_a_key_of_its_own_service(self, api, method):
        keys = {service: key_header(service) for service in SERVICES} | {
            "common": key_header("stats")
        }

        for route in ROUTES:
            response = api.generic(method, route.path, headers=keys[route.service])

            assert response.status_code not in {401, 403, 429, 503}, route

    @pytest.mark.parametrize("service", SERVICES)
    def test_a_key_of_several_services_is_valid_for_each_of_them(self, api, service):
        response = api.get(PATHS[service], headers=key_header(*SERVICES))

        assert response.status_code == 200

    @pytest.mark.parametrize(
        "path",
        ["/healthz", "/readyz", "/metrics", "/docs", "/schema", "/schemas/stats_message.json"],
    )
    def test_open_routes_need_no_key(self, api, path):
        for headers in ({}, {"Authorization": "Api-Key abc.def"}):
            assert api.get(path, headers=headers).status_code == 200

    def test_webhooks_need_a_signature_and_not_a_key(self, api):
        response = api.post(
            "/webhooks/vonage/inbound", {}, format="json", headers=key_header("repairjobs")
        )

        assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.django_db(transaction=True, databases="__all__")
class TestFastPath:
    def test_the_fast_path_returns_401_without_a_key(self):
        status, headers, content = post({})

        assert (status, headers["WWW-Authenticate"]) == (401, "Api-Key")
        assert list(content) == ["detail"]

    def test_the_fast_path_returns_403_for_a_key_of_another_service(self):
        assert post(key_header("dashboard"))[0] == 403

    def test_the_fast_path_accepts_a_key_of_its_service(self):
        headers = key_header("stats")

        assert [post(headers)[0] for _ in range(2)] == [201, 200]


class TestKeys:
    def ask(self, api, headers):
        return api.get("/stats", headers=headers).status_code

    def test_a_cached_key_needs_no_query(self, api, clock, django_assert_num_queries):
        headers = key_header("dashboard")
        api.get(PATHS["dashboard"], headers=headers)

        with django_assert_num_queries(0, using="default"):
            assert api.get(PATHS["dashboard"], headers=headers).status_code == 200

    def test_a_revoked_key_is_rejected_within_ten_seconds(self, api, clock):
        headers = key_header("stats")
        assert self.ask(api, headers) == 200

        ApiKey.objects.update(revoked=True)
        clock.now += 10

        assert self.ask(api, headers) == 401

    def test_a_new_key_is_accepted_within_a_second(self, api, clock):
        assert self.ask(api, key_header("dashboard")) == 403
        headers = key_header("stats")
        clock.now += 1

        assert self.ask(api, headers) == 200

    def test_a_key_is_rejected_once_it_has_expired(self, api):
        headers = key_header("stats", expiry_date=timezone.now() + timedelta(hours=1))
        assert self.ask(api, headers) == 200

        with time_machine.travel(timezone.now() + timedelta(hours=1, seconds=1)):
            assert self.ask(api, headers) == 401
            api_key_cache.clear()
            assert self.ask(api, headers) == 401

    def test_only_the_digest_of_a_key_is_stored(self):
        text = key_header("stats")["Authorization"].partition(" ")[2]

        stored = [str(value) for value in ApiKey.objects.values().get().values()]
        assert not [value for value in stored if text in value or text.partition(".")[2] in value]

    @pytest.mark.parametrize(
        "authorization",
        ["Api-Key", "Api-Key ", "Api-Key  x", "Api-Key " + "x" * 9_000, "Api-Key é\x00", "x"],
    )
    def test_a_malformed_key_is_rejected(self, api, authorization):
        assert self.ask(api, {"Authorization": authorization}) == 401

    @pytest.mark.parametrize("scheme", ["api-key", "API-KEY"])
    def test_the_case_of_the_scheme_does_not_matter(self, api, scheme):
        text = key_header("stats")["Authorization"].partition(" ")[2]

        assert self.ask(api, {"Authorization": f"{scheme} {text}"}) == 200


class TestUnknownKeys:
    def test_unknown_keys_cause_at_most_one_query_per_second(
        self, api, clock, django_assert_num_queries
    ):
        key_header("stats")
        with django_assert_num_queries(1, using="default"):
            for number in range(50):
                api.get("/stats", headers={"Authorization": f"Api-Key {number}.x"})

        clock.now += 1.5
        with django_assert_num_queries(1, using="default"):
            for number in range(50):
                api.get("/stats", headers={"Authorization": f"Api-Key {number}.y"})

    def test_unknown_keys_are_not_cached(self, api):
        key_header("stats")

        for number in range(50):
            api.get("/stats", headers={"Authorization": f"Api-Key {number}.x"})

        assert len(api_key_cache._identities) == 1


class TestDatabaseOutage:
    def test_an_unknown_key_gets_503_with_retry_after(self, api):
        headers = key_header("dashboard")

        with failing_database("default"):
            responses = [api.get(path, headers=headers) for path in (PATHS["dashboard"], "/")]

        for response in responses:
            assert (response.status_code, list(response.json())) == (503, ["detail"])
            assert int(response.headers["Retry-After"]) > 0

    def test_a_request_without_a_key_gets_401(self, api):
        with failing_database("default"):
            assert api.get(PATHS["dashboard"]).status_code == 401

    def test_a_cached_key_stays_valid_for_five_minutes(self, api, clock):
        headers = key_header("dashboard")
        assert api.get(PATHS["dashboard"], headers=headers).status_code == 200

        with failing_database("default"):
            clock.now += 290
            assert api.get(PATHS["dashboard"], headers=headers).status_code == 200
            clock.now += 20
            assert api.get(PATHS["dashboard"], headers=headers).status_code == 503

    def test_a_key_is_valid_again_after_the_outage(self, api, clock):
        headers = key_header("dashboard")
        with failing_database("default"):
            assert api.get(PATHS["dashboard"], headers=headers).status_code == 503
        clock.now += 6

        assert api.get(PATHS["dashboard"], headers=headers).status_code == 200


class TestUsers:
    @pytest.fixture
    def browser(self, django_user_model):
        def sign_in(*permissions, **fields):
            user = django_user_model.objects.create_user("someone", is_staff=True, **fields)
            user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
            client = Client(enforce_csrf_checks=True)
            client.force_login(user)
            return client

        return sign_in

    @pytest.mark.parametrize("path", ["/", "/messages", "/dashboard?hotel_id=1", "/jobs?limit=5"])
    def test_a_browser_without_a_session_is_sent_to_the_login_page_and_back(
        self, client, browser, path
    ):
        response = client.get(path, headers=BROWSER)

        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Api-Key"
        log_in = html.unescape(re.search('class="button" href="([^"]+)"', response.text)[1])
        browser(password="of the tests")
        credentials = {"username": "someone", "password": "of the tests"}
        back = client.post(log_in, credentials)
        assert (back.status_code, back.headers["Location"]) == (302, path)

    @pytest.mark.parametrize("path", ["/?", "/messages?", "/dashboard?hotel_id=1&", "/nowhere?"])
    def test_a_browser_gets_json_if_the_url_asks_for_it(self, client, path):
        response = client.get(f"{path}format=json", headers=BROWSER)

        assert response.status_code in {401, 404}
        assert list(response.json()) == ["detail"]

    def test_users_read_what_they_may_view(self, browser):
        client = browser("view_message")

        assert client.get("/stats").status_code == 200
        assert client.get("/messages", headers={"Accept": "text/html"}).status_code == 200
        assert client.get("/").status_code == 200
        assert client.get("/jobs").status_code == 403

    def test_the_personal_data_permission_alone_gives_no_access(self, browser):
        assert browser("view_personal_data").get("/jobs").status_code == 403

    @pytest.mark.parametrize(("permission", "status"), [("view_event", 403), ("add_event", 400)])
    def test_users_need_an_add_or_change_permission_to_write(self, browser, permission, status):
        client = browser(permission, "view_event")
        page = client.get("/events", headers={"Accept": "text/html"}).content.decode()
        token = re.search(r'"csrfToken": "(\w+)"', page)[1]

        response = client.post("/events", {}, "application/json", headers={"X-CSRFToken": token})

        assert response.status_code == status, response.content

    def test_a_write_without_a_csrf_token_is_rejected(self, browser):
        response = browser(is_superuser=True).post("/events", {}, "application/json")

        assert response.status_code == 403
        assert "CSRF" in response.json()["detail"]

    def test_a_session_of_a_user_who_is_not_staff_is_ignored(self, client, django_user_model):
        client.force_login(django_user_model.objects.create_user("guest"))

        assert client.get("/stats").status_code == 401
        assert client.get("/").status_code == 401

    def test_a_key_created_in_the_admin_is_shown_once(self, admin_client, api):
        form = {"name": "billing", "services": ["stats"], "sees_personal_data": "on"}

        page = admin_client.post("/admin/api_keys/apikey/add/", form, follow=True)

        api_key = ApiKey.objects.get()
        texts = [str(message) for message in page.context["messages"]]
        key = next(text for text in texts if api_key.prefix in text).split()[-1]
        headers = {"Authorization": f"Api-Key {key}"}
        assert api.get("/stats", headers=headers).status_code == 200
        again = admin_client.get(f"/admin/api_keys/apikey/{api_key.pk}/change/").content.decode()
        assert key not in again

    def test_the_admin_lists_the_services_of_a_key(self, admin_client):
        key_header("stats", "repairjobs")

        page = admin_client.get("/admin/api_keys/apikey/").content.decode()

        assert "stats, repairjobs" in page


class TestCommands:
    def run(self, name, *arguments):
        out = StringIO()
        call_command(name, *arguments, stdout=out, stderr=StringIO())
        return out.getvalue()

    def test_create_api_key_prints_a_valid_key(self, api):
        text = self.run("create_api_key", "a sender", "--services", "stats, dashboard").strip()

        headers = {"Authorization": f"Api-Key {text}"}
        assert api.get("/stats", headers=headers).status_code == 200
        assert api.get("/jobs", headers=headers).status_code == 403

    @pytest.mark.parametrize("whole", [True, False])
    def test_revoke_api_key_accepts_the_key_or_its_prefix(self, api, whole):
        text = self.run("create_api_key", "a sender", "--services", "stats").strip()
        headers = {"Authorization": f"Api-Key {text}"}

        output = self.run("revoke_api_key", text if whole else text.partition(".")[0])

        assert "Revoked the API key 'a sender'" in output
        assert api.get("/stats", headers=headers).status_code == 401
        assert "already revoked" in self.run("revoke_api_key", text)

    def test_list_api_keys_shows_prefix_state_expiry_services_and_name(self):
        key_header("stats")
        text = self.run(
            "create_api_key", "desk", "--services=repairjobs", "--expires=2099-01-31", "--masked"
        ).strip()

        first, second = self.run("list_api_keys").splitlines()

        assert first.split() == [
            *[text.partition(".")[0], "valid", "2099-01-31", "23:59", "UTC"],
            *["repairjobs", "(masked)", "desk"],
        ]
        assert "never" in second
        assert text.partition(".")[2] not in first

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["--services", "stats"], "name"),
            (["", "--services", "stats"], "must have 1 to 50 characters"),
            (["x"], "--services"),
            (
                ["x", "--services", "billing"],
                "dashboard, repairjobs, not 'billing'",
            ),
            (["x", "--services", "stats", "--masked"], "these services have no personal data"),
            (["x", "--services", "stats", "--expires", "soon"], "must be a date or datetime"),
            (
                ["x", "--services", "stats", "--expires", "2020-01-01"],
                "must be in the future",
            ),
        ],
    )
    def test_create_api_key_rejects_wrong_arguments(self, arguments, sentence):
        with pytest.raises(CommandError, match=sentence):
            self.run("create_api_key", *arguments)
        assert not ApiKey.objects.exists()

    def test_revoke_api_key_rejects_an_unknown_prefix(self):
        with pytest.raises(CommandError, match="list_api_keys"):
            self.run("revoke_api_key", "nothing")


@pytest.mark.processes
def test_a_process_of_one_service_requires_keys_by_default(tmp_path):
    env = environment(tmp_path, SERVICES="dataprovider", PORT=str(free_port()))
    copy_migrated_databases(env)
    commands = [manage(env, "create_api_key", "x", "--services", name) for name in SERVICES[:2]]
    web = [sys.executable, "-m", "granian", "--interface", "wsgi", "config.wsgi:application"]
    url = f"http://127.0.0.1:{env['PORT']}"

    with running(env, *web, "--port", env["PORT"], "--blocking-threads", "2"):
        eventually(lambda: answers(f"{url}/healthz"), "the web answers")
        statuses = [
            requests.get(f"{url}/events", headers=headers, timeout=PATIENCE).status_code
            for headers in [
                {},
                *[{"Authorization": f"Api-Key {command.stdout.strip()}"} for command in commands],
            ]
        ]

    assert statuses == [401, 403, 200]


@responses.activate
@pytest.mark.parametrize("status", [401, 403])
def test_an_error_about_a_rejected_key_names_the_setting_of_the_key(settings, status):
    responses.get("http://provider.test/events", status=status)
    responses.get(f"http://127.0.0.1:{settings.PORT}/jobs", status=status)
    settings.DATA_PROVIDER_URL = "http://provider.test"
    key_setting = rf"answered {status} .*\(check DATA_PROVIDER_KEY\)$"

    with pytest.raises(RemoteServiceUnavailable, match=key_setting):
        data_provider.probe()
    with pytest.raises(RemoteServiceUnavailable, match=key_setting):
        events_api.fetch_events(hotel_id=1, first=date(2026, 1, 1), last=date(2026, 1, 2))
    with pytest.raises(RemoteServiceUnavailable, match=r"\(check SANDBOX_KEY\)$"):
        sandbox_api.fetch_jobs("NEW")


@responses.activate
def test_the_sandbox_client_sends_its_key(settings):
    settings.SANDBOX_KEY = "abcdefgh.secret"
    route = responses.get(f"http://127.0.0.1:{settings.PORT}/jobs", json=[])

    sandbox_api.fetch_jobs("NEW")

    assert route.calls[0].request.headers["Authorization"] == "Api-Key abcdefgh.secret"
