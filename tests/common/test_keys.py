import html
import json
import re
import sys
from datetime import date, timedelta
from io import BytesIO, StringIO

import pytest
import requests
import responses
import time_machine
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from common.api_keys import cache as cache_module
from common.api_keys.cache import api_key_cache
from common.api_keys.models import ApiKey
from common.http_client import RemoteServiceUnavailable
from config.wsgi import application
from dashboard.integrations import data_provider
from dataprovider.integrations import events_api
from repairjobs import sandbox_api
from repairjobs.sandbox_api import SandboxUnavailable
from tests.common.doors import METHODS, closed_doors, key
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

pytestmark = pytest.mark.django_db(databases="__all__")

SERVICES = ["stats", "dataprovider", "dashboard", "repairjobs"]
DOORS = closed_doors()
OTHERS = dict(zip(SERVICES, [*SERVICES[1:], SERVICES[0]], strict=True))
# One path of each service that answers 200.
PATHS = {
    "stats": "/stats",
    "dataprovider": "/events",
    "dashboard": "/dashboard?hotel_id=1",
    "repairjobs": "/jobs",
}
BROWSER = {"Accept": "text/html,*/*;q=0.8"}
MESSAGE = {
    "customerId": 1,
    "type": "A",
    "amount": "0.012",
    "uuid": "a596b362-08be-419f-8070-9c3055566e7c",
}


@pytest.fixture(autouse=True)
def closed(settings):
    settings.API_KEYS_REQUIRED = True


@pytest.fixture
def clock(monkeypatch):
    """The monotonic seconds of the cache; a test moves them on."""

    class Clock:
        now = 1_000.0

    monkeypatch.setattr(cache_module, "monotonic", lambda: Clock.now)
    return Clock


def post(headers, path="/messages", content=MESSAGE, app=application):
    """Status, headers and content of the answer to a program's POST, through every layer."""
    body = json.dumps(content).encode()
    answer = {}

    def start_response(status, head):
        answer.update(status=int(status.split()[0]), headers=dict(head))

    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "HTTP_HOST": "localhost",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
        "wsgi.url_scheme": "http",
        **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
    }
    content = b"".join(app(environ, start_response))
    return answer["status"], answer["headers"], json.loads(content)


class TestEveryDoor:
    def test_is_among_these(self):
        found = {door.path for door in DOORS}

        assert len(found) == len(DOORS) > 30
        assert found >= {"/", "/messages", "/stats/", "/events", "/dashboard", "/jobs/123/parts/1"}
        assert {door.service for door in DOORS} == {"common", *SERVICES}

    @pytest.mark.parametrize("method", METHODS)
    def test_is_closed_without_a_key(self, api, method):
        for door in DOORS:
            answer = api.generic(method, door.path)

            assert answer.status_code == 401, door
            assert answer.headers["WWW-Authenticate"] == "Api-Key"
            assert method == "HEAD" or list(answer.json()) == ["detail"]

    @pytest.mark.parametrize("method", METHODS)
    def test_is_closed_to_a_wrong_key(self, api, method):
        for door in DOORS:
            answer = api.generic(method, door.path, headers={"Authorization": "Api-Key abc.def"})

            assert answer.status_code == 401, door
            assert answer.headers["WWW-Authenticate"] == "Api-Key"

    @pytest.mark.parametrize("method", METHODS)
    def test_is_closed_to_a_key_of_another_service(self, api, method):
        keys = {service: key(OTHERS[service]) for service in SERVICES}

        for door in DOORS:
            if door.service in SERVICES:
                answer = api.generic(method, door.path, headers=keys[door.service])

                assert answer.status_code == 403, door
                assert method == "HEAD" or door.service in answer.json()["detail"]

    @pytest.mark.parametrize("method", METHODS)
    def test_opens_to_a_key_of_its_own(self, api, method):
        keys = {service: key(service) for service in SERVICES} | {"common": key("stats")}

        for door in DOORS:
            answer = api.generic(method, door.path, headers=keys[door.service])

            assert answer.status_code not in {401, 403, 429, 503}, door

    @pytest.mark.parametrize("service", SERVICES)
    def test_answers_a_key_of_several_services(self, api, service):
        answer = api.get(PATHS[service], headers=key(*SERVICES))

        assert answer.status_code == 200

    @pytest.mark.parametrize(
        "path",
        ["/healthz", "/readyz", "/metrics", "/docs", "/schema", "/schemas/stats_message.json"],
    )
    def test_that_is_open_asks_nobody(self, api, path):
        for headers in ({}, {"Authorization": "Api-Key abc.def"}):
            assert api.get(path, headers=headers).status_code == 200

    def test_of_the_webhooks_asks_for_a_signature(self, api):
        answer = api.post("/webhooks/vonage/inbound", {}, format="json", headers=key("repairjobs"))

        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.django_db(transaction=True, databases="__all__")
class TestTheFastDoorOfMessages:
    def test_is_closed_without_a_key(self):
        status, headers, content = post({})

        assert (status, headers["WWW-Authenticate"]) == (401, "Api-Key")
        assert list(content) == ["detail"]

    def test_is_closed_to_a_key_of_another_service(self):
        assert post(key("dashboard"))[0] == 403

    def test_opens_to_its_own(self):
        headers = key("stats")

        assert [post(headers)[0] for _ in range(2)] == [201, 200]


class TestAKey:
    def ask(self, api, headers):
        return api.get("/stats", headers=headers).status_code

    def test_costs_no_query_once_it_is_known(self, api, clock, django_assert_num_queries):
        headers = key("dashboard")
        api.get(PATHS["dashboard"], headers=headers)

        with django_assert_num_queries(0, using="default"):
            assert api.get(PATHS["dashboard"], headers=headers).status_code == 200

    def test_that_is_revoked_stops_within_ten_seconds(self, api, clock):
        headers = key("stats")
        assert self.ask(api, headers) == 200

        ApiKey.objects.update(revoked=True)
        clock.now += 10

        assert self.ask(api, headers) == 401

    def test_that_is_new_opens_within_a_second(self, api, clock):
        assert self.ask(api, key("dashboard")) == 403
        headers = key("stats")
        clock.now += 1

        assert self.ask(api, headers) == 200

    def test_stops_when_it_expires(self, api):
        headers = key("stats", expiry_date=timezone.now() + timedelta(hours=1))
        assert self.ask(api, headers) == 200

        with time_machine.travel(timezone.now() + timedelta(hours=1, seconds=1)):
            assert self.ask(api, headers) == 401
            api_key_cache.forget()
            assert self.ask(api, headers) == 401

    def test_is_stored_as_a_digest_alone(self):
        text = key("stats")["Authorization"].partition(" ")[2]

        stored = [str(value) for value in ApiKey.objects.values().get().values()]
        assert not [value for value in stored if text in value or text.partition(".")[2] in value]

    @pytest.mark.parametrize(
        "sent",
        ["Api-Key", "Api-Key ", "Api-Key  x", "Api-Key " + "x" * 9_000, "Api-Key é\x00", "x"],
    )
    def test_that_is_nonsense_is_refused(self, api, sent):
        assert self.ask(api, {"Authorization": sent}) == 401

    @pytest.mark.parametrize("scheme", ["api-key", "API-KEY"])
    def test_may_spell_its_scheme_in_any_case(self, api, scheme):
        text = key("stats")["Authorization"].partition(" ")[2]

        assert self.ask(api, {"Authorization": f"{scheme} {text}"}) == 200


class TestUnknownKeys:
    def test_cost_a_query_a_second_at_most(self, api, clock, django_assert_num_queries):
        key("stats")
        with django_assert_num_queries(1, using="default"):
            for number in range(50):
                api.get("/stats", headers={"Authorization": f"Api-Key {number}.x"})

        clock.now += 1.5
        with django_assert_num_queries(1, using="default"):
            for number in range(50):
                api.get("/stats", headers={"Authorization": f"Api-Key {number}.y"})

    def test_take_no_room(self, api):
        key("stats")

        for number in range(50):
            api.get("/stats", headers={"Authorization": f"Api-Key {number}.x"})

        assert len(api_key_cache._callers) == 1


class TestWhileTheStoreOfKeysIsAway:
    @pytest.fixture
    def away(self, monkeypatch):
        def refuse():
            raise OperationalError("gone")

        return lambda: monkeypatch.setattr(cache_module, "_read_keys", refuse)

    def test_an_unknown_key_is_told_to_come_again(self, api, away):
        headers = key("dashboard")
        away()

        for path in (PATHS["dashboard"], "/"):
            answer = api.get(path, headers=headers)

            assert (answer.status_code, list(answer.json())) == (503, ["detail"])
            assert int(answer.headers["Retry-After"]) > 0

    def test_no_key_is_still_a_401(self, api, away):
        away()

        assert api.get(PATHS["dashboard"]).status_code == 401

    def test_a_known_key_goes_on_for_five_minutes(self, api, away, clock):
        headers = key("dashboard")
        assert api.get(PATHS["dashboard"], headers=headers).status_code == 200
        away()

        clock.now += 290
        assert api.get(PATHS["dashboard"], headers=headers).status_code == 200
        clock.now += 20
        assert api.get(PATHS["dashboard"], headers=headers).status_code == 503

    def test_is_over_a_known_key_opens_again(self, api, away, clock, monkeypatch):
        headers = key("dashboard")
        with monkeypatch.context() as patched:
            patched.setattr(cache_module, "_read_keys", self._gone)
            assert api.get(PATHS["dashboard"], headers=headers).status_code == 503
        clock.now += 6

        assert api.get(PATHS["dashboard"], headers=headers).status_code == 200

    @staticmethod
    def _gone():
        raise OperationalError("gone")


class TestPeople:
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
    def test_who_did_not_sign_in_are_led_to_the_log_in_and_back(self, client, browser, path):
        answer = client.get(path, headers=BROWSER)

        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Api-Key"
        log_in = html.unescape(re.search('class="button" href="([^"]+)"', answer.text)[1])
        browser(password="of the tests")
        sent = {"username": "someone", "password": "of the tests"}
        back = client.post(log_in, sent)
        assert (back.status_code, back.headers["Location"]) == (302, path)

    @pytest.mark.parametrize("path", ["/?", "/messages?", "/dashboard?hotel_id=1&", "/nowhere?"])
    def test_who_ask_for_json_get_it_in_a_browser_too(self, client, path):
        answer = client.get(f"{path}format=json", headers=BROWSER)

        assert answer.status_code in {401, 404}
        assert list(answer.json()) == ["detail"]

    def test_read_what_they_may_view(self, browser):
        client = browser("view_message")

        assert client.get("/stats").status_code == 200
        assert client.get("/messages", headers={"Accept": "text/html"}).status_code == 200
        assert client.get("/").status_code == 200
        assert client.get("/jobs").status_code == 403

    def test_who_may_see_personal_data_alone_read_nothing(self, browser):
        assert browser("view_personal_data").get("/jobs").status_code == 403

    @pytest.mark.parametrize(("permission", "status"), [("view_event", 403), ("add_event", 400)])
    def test_write_what_they_may_change(self, browser, permission, status):
        client = browser(permission, "view_event")
        page = client.get("/events", headers={"Accept": "text/html"}).content.decode()
        token = re.search(r'"csrfToken": "(\w+)"', page)[1]

        answer = client.post("/events", {}, "application/json", headers={"X-CSRFToken": token})

        assert answer.status_code == status, answer.content

    def test_cannot_be_made_to_write_by_another_site(self, browser):
        answer = browser(is_superuser=True).post("/events", {}, "application/json")

        assert answer.status_code == 403
        assert "CSRF" in answer.json()["detail"]

    def test_who_are_no_staff_are_nobody(self, client, django_user_model):
        client.force_login(django_user_model.objects.create_user("guest"))

        assert client.get("/stats").status_code == 401
        assert client.get("/").status_code == 401

    def test_make_keys_in_the_admin_and_see_them_once(self, admin_client, api):
        form = {"name": "billing", "services": ["stats"], "sees_personal_data": "on"}

        page = admin_client.post("/admin/api_keys/apikey/add/", form, follow=True)

        made = ApiKey.objects.get()
        text = next(str(each) for each in page.context["messages"] if made.prefix in str(each))
        shown = text.split()[-1]
        headers = {"Authorization": f"Api-Key {shown}"}
        assert api.get("/stats", headers=headers).status_code == 200
        again = admin_client.get(f"/admin/api_keys/apikey/{made.pk}/change/").content.decode()
        assert shown not in again

    def test_see_in_words_what_a_key_opens(self, admin_client):
        key("stats", "repairjobs")

        page = admin_client.get("/admin/api_keys/apikey/").content.decode()

        assert "stats, repairjobs" in page


class TestCommands:
    def run(self, name, *arguments):
        out = StringIO()
        call_command(name, *arguments, stdout=out, stderr=StringIO())
        return out.getvalue()

    def test_make_a_key_that_opens(self, api):
        text = self.run("create_api_key", "a sender", "--services", "stats, dashboard").strip()

        headers = {"Authorization": f"Api-Key {text}"}
        assert api.get("/stats", headers=headers).status_code == 200
        assert api.get("/jobs", headers=headers).status_code == 403

    @pytest.mark.parametrize("whole", [True, False])
    def test_revoke_it(self, api, whole):
        text = self.run("create_api_key", "a sender", "--services", "stats").strip()
        headers = {"Authorization": f"Api-Key {text}"}

        said = self.run("revoke_api_key", text if whole else text.partition(".")[0])

        assert "Revoked 'a sender'" in said
        assert api.get("/stats", headers=headers).status_code == 401
        assert "revoked before" in self.run("revoke_api_key", text)

    def test_list_them(self):
        key("stats")
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
            (["", "--services", "stats"], "1 to 50 characters"),
            (["x"], "--services"),
            (["x", "--services", "billing"], "'billing' is not allowed; some of stats, data"),
            (["x", "--services", "stats", "--masked"], "only where --services has repairjobs"),
            (["x", "--services", "stats", "--expires", "soon"], "a date or datetime"),
            (["x", "--services", "stats", "--expires", "2020-01-01"], "2020-01-01 is over"),
        ],
    )
    def test_refuse_with_a_sentence(self, arguments, sentence):
        with pytest.raises(CommandError, match=sentence):
            self.run("create_api_key", *arguments)
        assert not ApiKey.objects.exists()

    def test_refuse_to_revoke_what_is_unknown(self):
        with pytest.raises(CommandError, match="list_api_keys"):
            self.run("revoke_api_key", "nothing")


@pytest.mark.processes
def test_a_process_of_one_service_asks_for_keys_by_default(tmp_path):
    env = environment(tmp_path, SERVICES="dataprovider", PORT=str(free_port()))
    copy_migrated_databases(env)
    made = [manage(env, "create_api_key", "x", "--services", name) for name in SERVICES[:2]]
    web = [sys.executable, "-m", "granian", "--interface", "wsgi", "config.wsgi:application"]
    url = f"http://127.0.0.1:{env['PORT']}"

    with running(env, *web, "--port", env["PORT"], "--blocking-threads", "2"):
        eventually(lambda: answers(f"{url}/healthz"), "the web answers")
        statuses = [
            requests.get(f"{url}/events", headers=headers, timeout=PATIENCE).status_code
            for headers in [
                {},
                *[{"Authorization": f"Api-Key {each.stdout.strip()}"} for each in made],
            ]
        ]

    assert statuses == [401, 403, 200]


@responses.activate
@pytest.mark.parametrize("status", [401, 403])
def test_who_is_refused_for_a_key_is_told_which_setting_holds_it(settings, status):
    responses.get("http://provider.test/events", status=status)
    responses.get(f"http://127.0.0.1:{settings.PORT}/jobs", status=status)
    settings.DATA_PROVIDER_URL = "http://provider.test"
    key_setting = rf"answered {status} .*\(check DATA_PROVIDER_KEY\)$"

    with pytest.raises(RemoteServiceUnavailable, match=key_setting):
        data_provider.probe()
    with pytest.raises(RemoteServiceUnavailable, match=key_setting):
        events_api.fetch_events(hotel_id=1, first=date(2026, 1, 1), last=date(2026, 1, 2))
    with pytest.raises(SandboxUnavailable, match=r"\(SANDBOX_KEY\)$"):
        sandbox_api.jobs("NEW")


@responses.activate
def test_the_demos_repair_shop_sends_its_key(settings):
    settings.SANDBOX_KEY = "abcdefgh.secret"
    sent = responses.get(f"http://127.0.0.1:{settings.PORT}/jobs", json=[])

    sandbox_api.jobs("NEW")

    assert sent.calls[0].request.headers["Authorization"] == "Api-Key abcdefgh.secret"
