"""The project's own pages: index, health, metrics, API documents and errors."""

import json
import re
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.contrib.admin import site
from django.test import Client
from django.urls import get_resolver

from stats.models import Message
from tests.common.databases import failing_database

ALL_DATABASES = ["default", "dataprovider", "dashboard", "repairjobs", "client"]
STATS_PATHS = {
    "/messages",
    "/messages/batch",
    "/messages/{uuid}",
    "/schemas/stats_message.json",
    "/stats",
}
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
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
every_database = pytest.mark.django_db(databases=ALL_DATABASES)


class TestHealth:
    def test_healthz_uses_no_database(self, api):
        assert api.get("/healthz").json() == {"status": "ok"}

    @every_database
    def test_readyz_names_every_database_and_the_broker(self, api):
        response = api.get("/readyz")

        assert response.status_code == 200
        assert response.json()["checks"] == dict.fromkeys([*ALL_DATABASES, "broker"], "ok")

    @every_database
    def test_readyz_returns_503_and_names_the_unavailable_database(self, api):
        with failing_database("dashboard"):
            response = api.get("/readyz")

        assert response.status_code == 503
        assert response.headers["Retry-After"]
        assert response.json()["status"] == "unavailable"
        assert response.json()["checks"]["dashboard"] == "unavailable"
        assert response.json()["checks"]["dataprovider"] == "ok"

    @every_database
    def test_readyz_reports_an_unavailable_broker(self, api, settings):
        settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"

        response = api.get("/readyz")

        assert response.status_code == 503
        assert response.json()["checks"]["broker"] == "unavailable"


@every_database
class TestPages:
    def test_metrics_count_requests_by_route_and_status(self, api):
        api.get("/events?limit=1")

        text = api.get("/metrics").content.decode()

        assert re.search(
            r'http_request_seconds_count\{method="GET",route="/events",status="200"\} [1-9]', text
        )
        assert "dashboard_rejected_events 0.0" in text

    def test_the_index_page_lists_the_services(self, api):
        html = api.get("/", headers={"Accept": "text/html"}).content.decode()

        assert "Data provider" in html
        assert 'href="/dashboard?hotel_id=1"' in html

    def test_the_index_lists_the_services_as_json(self, api):
        names = [service["name"] for service in api.get("/").json()["services"]]

        assert names == ["Stats", "Data provider", "Dashboard", "Repair jobs"]

    def test_the_index_shows_how_recent_the_data_is(self, api):
        noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
        Message.objects.create(uuid=uuid4(), customer_id=1, amount_thousandths=12, timestamp=noon)

        freshness = api.get("/").json()["services"][0]["freshness"]
        page = api.get("/", headers=BROWSER).text

        assert freshness == {"Last message": "2026-01-31T12:00:00Z"}
        assert "<dt>Last message</dt><dd>2026-01-31 12:00:00 UTC</dd>" in page
        assert api.get("/").json()["services"][2]["freshness"]["Ingested through"] is None

    @pytest.mark.parametrize(
        "path", ["/docs", "/docs/dataprovider", "/docs/dashboard", "/docs/repairjobs", "/docs/"]
    )
    def test_swagger_pages_load_only_from_this_host(self, api, path):
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
    def test_each_openapi_document_has_the_paths_of_its_services(self, api, path, paths):
        schema = json.loads(api.get(f"{path}?format=json").content)

        assert schema["openapi"].startswith("3.")
        assert set(schema["paths"]) == paths

    def test_every_required_parameter_has_an_example(self, api):
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

    def test_an_unknown_path_returns_404_as_json(self, api):
        response = api.get("/nothing")

        assert response.status_code == 404
        assert "/docs" in response.json()["detail"]

    @pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/docs/", "/schema"])
    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
    def test_pages_accept_only_get_and_head(self, path, method):
        response = getattr(Client(enforce_csrf_checks=True), method)(path)

        assert response.status_code == 405
        assert response.json()["detail"] == f'Method "{method.upper()}" not allowed.'

    def test_an_unknown_host_returns_400_as_json(self, api):
        response = api.get("/events", headers={"Host": "evil.test"})

        assert (response.status_code, list(response.json())) == (400, ["detail"])

    def test_an_unknown_path_shows_a_page_in_a_browser(self, api):
        response = api.get("/nothing", headers=BROWSER)

        assert (response.status_code, response.headers["Vary"]) == (404, "Accept")
        assert "<h1>Not Found</h1>" in response.text
        assert '<a href="/">' in response.text
        assert "default-src" in response.headers["Content-Security-Policy"]

    @every_database
    def test_an_unknown_path_of_the_admin_shows_a_page(self, client, django_user_model):
        client.force_login(django_user_model.objects.create_superuser("admin", password="x"))

        response = client.get("/admin/nonsense/", headers=BROWSER)

        assert response.status_code == 404
        assert '<a href="/">' in response.text

    def test_an_unknown_host_shows_a_page_in_a_browser(self, api):
        response = api.get("/events", headers={"Host": "evil.test", **BROWSER})

        assert response.status_code == 400
        assert "This host name is not allowed." in response.text
        assert "<h1>Bad Request</h1>" in response.text

    @pytest.mark.parametrize("headers", [BROWSER, {}])
    def test_an_unexpected_error_returns_500_as_json_or_as_a_page(self, headers):
        client = Client(raise_request_exception=False)

        with failing_database("default", error=ZeroDivisionError()):
            response = client.get("/", headers=headers)

        assert response.status_code == 500
        assert "An unexpected error occurred." in response.text
        assert ("<h1>Internal Server Error</h1>" in response.text) == (headers == BROWSER)

    def test_the_admin_returns_503_while_a_database_is_unavailable(self, client, django_user_model):
        client.force_login(django_user_model.objects.create_superuser("admin", password="x"))
        client.raise_request_exception = False

        with failing_database("default", table="stats_message"):
            response = client.get("/admin/stats/message/", headers=BROWSER)

        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
        assert "A database is unavailable." in response.text

    def test_every_list_of_the_admin_opens(self, client, django_user_model):
        client.force_login(django_user_model.objects.create_superuser("admin", password="x"))

        assert len(site._registry) > 15
        for model in site._registry:
            path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
            assert client.get(path).status_code == 200, path


def test_every_path_exists_with_and_without_a_trailing_slash():
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
