import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.test import Client
from django.urls import get_resolver

from stats.models import Message
from tests.common.setting_names import environment_variables
from tests.processes import ROOT, environment

OWN_DATABASES = ["default", "dataprovider", "dashboard", "repairjobs"]
ALL_STORES = [*OWN_DATABASES, "client"]
STATS_PATHS = {
    "/messages",
    "/messages/batch",
    "/messages/{uuid}",
    "/schemas/stats_message.json",
    "/stats",
}
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
every_store = pytest.mark.django_db(databases=ALL_STORES)


class TestHealth:
    def test_of_the_process_asks_no_store(self, api):
        assert api.get("/healthz").json() == {"status": "ok"}

    @every_store
    def test_of_the_stores_names_each(self, api):
        answer = api.get("/readyz")

        assert answer.status_code == 200
        assert answer.json()["checks"] == dict.fromkeys([*ALL_STORES, "broker"], "ok")

    @every_store
    def test_names_the_store_that_is_away(self, api, monkeypatch):
        def ask(alias):
            if alias == "dashboard":
                raise OperationalError("gone")

        monkeypatch.setattr("common.views._ask", ask)

        answer = api.get("/readyz")

        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert answer.json()["checks"]["dashboard"] == "away"
        assert answer.json()["checks"]["dataprovider"] == "ok"


REPAIR_PATHS = {
    "/jobs",
    "/jobs/{job_id}",
    "/jobs/{job_id}/transactions",
    "/jobs/{job_id}/messages",
    "/jobs/{job_id}/payments",
    "/jobs/{job_id}/parts",
    "/jobs/{job_id}/parts/{part_id}",
    "/transactions",
    "/parts",
    "/webhooks/vonage/status",
    "/webhooks/vonage/inbound",
    "/client/jobs",
    "/client/jobs/{job_id}",
}


@every_store
class TestPages:
    def test_tell_prometheus_what_was_asked(self, api):
        api.get("/events?limit=1")

        text = api.get("/metrics").content.decode()

        assert re.search(
            r'http_request_seconds_count\{method="GET",route="/events",status="200"\} [1-9]', text
        )
        assert "dashboard_rejected_events 0.0" in text

    def test_tell_a_person_what_runs_here(self, api):
        html = api.get("/", headers={"Accept": "text/html"}).content.decode()

        assert "Data provider" in html
        assert 'href="/dashboard?hotel_id=1"' in html

    def test_tell_a_program_too(self, api):
        names = [service["name"] for service in api.get("/").json()["services"]]

        assert names == ["Stats", "Data provider", "Dashboard", "Repair jobs"]

    def test_tell_how_fresh_all_is_in_words_and_in_iso_8601(self, api):
        noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
        Message.objects.create(uuid=uuid4(), customer_id=1, amount_thousandths=12, timestamp=noon)

        told = api.get("/").json()["services"][0]["freshness"]
        page = api.get("/", headers=BROWSER).text

        assert told == {"Last message": "2026-01-31T12:00:00Z"}
        assert "<dt>Last message</dt><dd>2026-01-31 12:00:00 UTC</dd>" in page
        assert api.get("/").json()["services"][2]["freshness"]["Ingested through"] is None

    @pytest.mark.parametrize(
        "path", ["/docs", "/docs/dataprovider", "/docs/dashboard", "/docs/repairjobs", "/docs/"]
    )
    def test_load_nothing_from_elsewhere(self, api, path):
        html = api.get(path).content.decode()

        assert "swagger-ui" in html
        assert not re.findall(r'(?:src|href)="(?:https?:)?//[^"]+', html)

    @pytest.mark.parametrize(
        ("path", "paths"),
        [
            ("/schema", {"/events", "/dashboard", *STATS_PATHS, *REPAIR_PATHS}),
            ("/schema/stats", STATS_PATHS),
            ("/schema/repairjobs", REPAIR_PATHS),
            ("/schema/dataprovider", {"/events"}),
            ("/schema/dashboard/", {"/dashboard"}),
        ],
    )
    def test_describe_the_api(self, api, path, paths):
        schema = json.loads(api.get(f"{path}?format=json").content)

        assert schema["openapi"].startswith("3.")
        assert set(schema["paths"]) == paths

    def test_have_an_example_of_all_that_must_be_given(self, api):
        schema = json.loads(api.get("/schema?format=json").content)

        required = [
            (path, parameter)
            for path, operations in schema["paths"].items()
            for operation in operations.values()
            for parameter in operation.get("parameters", [])
            if parameter.get("required")
        ]
        assert len(required) > 10
        assert [(path, each["name"]) for path, each in required if "example" not in each] == []

    def test_that_do_not_exist_are_404_in_json(self, api):
        answer = api.get("/nothing")

        assert answer.status_code == 404
        assert "/docs" in answer.json()["detail"]

    @pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/docs/", "/schema"])
    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
    def test_are_only_read(self, path, method):
        answer = getattr(Client(enforce_csrf_checks=True), method)(path)

        assert answer.status_code == 405
        assert answer.json()["detail"] == f'Method "{method.upper()}" not allowed.'

    def test_refuse_a_foreign_host_in_json(self, api):
        answer = api.get("/events", headers={"Host": "evil.test"})

        assert (answer.status_code, list(answer.json())) == (400, ["detail"])

    def test_that_do_not_exist_lead_a_person_home(self, api):
        answer = api.get("/nothing", headers=BROWSER)

        assert (answer.status_code, answer.headers["Vary"]) == (404, "Accept")
        assert "<h1>Not Found</h1>" in answer.text
        assert '<a href="/">' in answer.text
        assert "default-src" in answer.headers["Content-Security-Policy"]

    @every_store
    def test_that_do_not_exist_in_the_admin_lead_home_too(self, client, django_user_model):
        client.force_login(django_user_model.objects.create_superuser("admin", password="x"))

        answer = client.get("/admin/nonsense/", headers=BROWSER)

        assert answer.status_code == 404
        assert '<a href="/">' in answer.text

    def test_refuse_a_person_a_foreign_host_in_words(self, api):
        answer = api.get("/events", headers={"Host": "evil.test", **BROWSER})

        assert answer.status_code == 400
        assert "This host name is not served here" in answer.text
        assert "<h1>Bad Request</h1>" in answer.text

    @pytest.mark.parametrize("headers", [BROWSER, {}])
    def test_that_fail_say_so_in_a_form_for_who_asked(self, monkeypatch, headers):
        monkeypatch.setattr("common.views.served_services", lambda apps: 1 / 0)

        answer = Client(raise_request_exception=False).get("/", headers=headers)

        assert answer.status_code == 500
        assert "Something went wrong on our side." in answer.text
        assert ("<h1>Internal Server Error</h1>" in answer.text) == (headers == BROWSER)

    def test_of_the_admin_say_that_a_store_is_away(self, client, django_user_model, monkeypatch):
        def away(*args):
            raise OperationalError("gone")

        client.force_login(django_user_model.objects.create_superuser("admin", password="x"))
        client.raise_request_exception = False
        monkeypatch.setattr("stats.admin.MessageAdmin.get_queryset", away)

        answer = client.get("/admin/stats/message/", headers=BROWSER)

        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "A store behind this service is away" in answer.text

    def test_of_the_admin_open_for_who_logged_in(self, client, django_user_model):
        client.force_login(django_user_model.objects.create_superuser("admin", password="x"))

        for path in (
            "",
            "dashboard/rejectedevent/",
            "dashboard/dailytotal/",
            "dataprovider/event/",
            "stats/dailytotal/",
            "stats/message/",
            "repairjobs/job/",
            "repairjobs/jobtransaction/",
            "repairjobs/sms/",
            "repairjobs/errand/",
            "repairjobs/payment/",
            "repairjobs/part/",
            "repairjobs/deliveryreport/",
            "repairjobs/optout/",
            "repairjobs/collection/",
        ):
            assert client.get(f"/admin/{path}").status_code == 200


def test_every_path_of_the_contract_has_both_slashes():
    routes = {
        str(pattern.pattern)
        for group in get_resolver().url_patterns
        for pattern in getattr(group, "url_patterns", [group])
        if "admin" not in str(group.pattern)
    }

    assert {route.rstrip("/") for route in routes} - {""} == {
        route for route in routes if not route.endswith("/")
    } - {""}
    assert {f"{route}/" for route in routes if route and not route.endswith("/")} <= routes


def test_migrations_reach_every_store(settings, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "common.management.commands.migrate_databases.call_command",
        lambda name, **options: seen.append((name, options.get("database"))),
    )

    call_command("migrate_databases")

    assert seen[: len(OWN_DATABASES)] == [("migrate", alias) for alias in OWN_DATABASES]
    assert set(seen[len(OWN_DATABASES) :]) <= {("create_client_database", None)}


SHOW = """
import django, json
django.setup()
from django.conf import settings as s
from django.urls import get_resolver
print(json.dumps({
    "services": s.SERVICES, "databases": list(s.DATABASES), "secret": s.SECRET_KEY,
    "middleware": s.MIDDLEWARE, "apps": s.INSTALLED_APPS, "beat": sorted(s.CELERY_BEAT_SCHEDULE),
    "events": any(p.name == "events" for g in get_resolver().url_patterns
                  for p in getattr(g, "url_patterns", [g])),
    "provider": s.DATA_PROVIDER_URL,
    "lease": s.OUTBOX_LEASE.total_seconds(),
    "timeouts": {alias: each["OPTIONS"]["read_timeout"] for alias, each in s.DATABASES.items()
                 if "read_timeout" in each["OPTIONS"]},
}))
"""


@pytest.mark.processes
class TestSettings:
    @pytest.fixture
    def ask(self, tmp_path):
        def ask(**variables):
            env = environment(tmp_path, DJANGO_SETTINGS_MODULE="config.settings") | variables
            ran = subprocess.run(
                [sys.executable, "-c", SHOW], cwd=ROOT, env=env, text=True, capture_output=True
            )
            last = (ran.stdout or ran.stderr).strip().splitlines()[-1]
            return json.loads(last) if ran.returncode == 0 else last

        return ask

    def test_carry_everything_by_default(self, ask):
        shown = ask()

        assert shown["services"] == ["stats", "dataprovider", "dashboard", "repairjobs"]
        assert shown["databases"] == ALL_STORES
        assert shown["provider"] == "http://127.0.0.1:8000"
        assert "django.contrib.admin" in shown["apps"]
        assert shown["beat"] == [
            "dashboard: ingest events",
            "repairjobs: collect jobs",
            "repairjobs: follow jobs",
            "repairjobs: run document errands",
            "repairjobs: run sms errands",
            "repairjobs: run status errands",
            "repairjobs: sweep jobs",
        ]

    def test_simulate_only_in_a_demo(self, ask):
        assert "dataprovider: simulate events" in ask(DEMO="true")["beat"]

    def test_of_one_service_carry_nothing_of_the_others(self, ask):
        shown = ask(SERVICES="dashboard")

        assert shown["databases"] == ["default", "dashboard"]
        assert not shown["events"]
        assert not [app for app in shown["apps"] if "admin" in app or "auth" in app]
        assert not [each for each in shown["middleware"] if "session" in each.lower()]

    def test_of_stats_alone_carry_one_store(self, ask):
        shown = ask(SERVICES="stats")

        assert shown["databases"] == ["default"]
        assert not [app for app in shown["apps"] if "admin" in app or "auth" in app]
        assert not [each for each in shown["middleware"] if "session" in each.lower()]

    def test_give_up_a_frozen_mysql_while_a_claim_on_work_still_stands(self, ask):
        url = "mysql://root@db/name"
        shown = ask(
            SECRET_KEY="given",
            REPAIRJOBS_DATABASE_URL=url,
            CLIENT_DATABASE_URL=f"{url}?read_timeout=3",
        )

        assert shown["timeouts"]["repairjobs"] < shown["lease"]
        assert shown["timeouts"]["client"] == 3

    def test_keep_a_secret_between_starts(self, ask):
        first = ask()["secret"]

        assert len(first) >= 50
        assert ask()["secret"] == first
        assert ask(SECRET_KEY="given")["secret"] == "given"

    def test_take_an_empty_variable_as_not_set(self, ask):
        assert ask(PORT="", DATABASE_URL="", SERVICES="")["databases"] == ALL_STORES

    @pytest.mark.parametrize(
        ("variables", "sentence"),
        [
            ({"SERVICES": "dashbord"}, "SERVICES names dashbord; allowed: all"),
            ({"PORT": "http"}, "PORT is 'http'; allowed: a whole number from 1 to 65535"),
            ({"PORT": "99999"}, "PORT is '99999'; allowed: a whole number from 1 to 65535"),
            ({"INGEST_SECONDS": "0"}, "INGEST_SECONDS is '0'; allowed: a whole number"),
            ({"DEMO": "maybe"}, "DEMO is 'maybe'; allowed: true or false"),
            ({"DATABASE_URL": "nonsense"}, "DATABASE_URL is no URL of a store"),
            ({"DATA_DIR": "/dev/null/x"}, "DATA_DIR cannot be made"),
            ({"DATABASE_URL": "postgres://127.0.0.1/x"}, "SECRET_KEY is not set"),
            ({"BROKER_URL": "redis://127.0.0.1"}, "SECRET_KEY is not set"),
        ],
    )
    def test_stop_the_start_with_a_sentence(self, ask, variables, sentence):
        assert sentence in ask(**variables)


def test_every_environment_variable_is_in_the_example_file_and_in_the_readme():
    names = environment_variables() - {"ENV_FILE"}

    example, readme = (ROOT / ".env.example").read_text(), (ROOT / "README.md").read_text()

    assert {name for name in names if f"{name}=" not in example} == set()
    assert {name for name in names if f"`{name}`" not in readme} == set()
