import re

import pytest

from stats.api.fast_path import wrap_wsgi
from tests.common.test_keys import post
from tests.processes import environment, manage

IN_PRODUCTION = {
    "SECRET_KEY": "fifty characters, and more, of something long and random 4f8a2c",
    "ALLOWED_HOSTS": "services.example",
    "HTTPS": "true",
    "TRUST_PROXY": "true",
    "SMS_BACKEND": "console",
    "DATABASE_URL": "postgres://user@127.0.0.1:1/shell",
    "DATAPROVIDER_DATABASE_URL": "postgres://user@127.0.0.1:1/dataprovider",
    "DASHBOARD_DATABASE_URL": "postgres://user@127.0.0.1:1/dashboard",
    "REPAIRJOBS_DATABASE_URL": "mysql://user@127.0.0.1:1/repairjobs",
    "CLIENT_DATABASE_URL": "mysql://user@127.0.0.1:1/client",
    "BROKER_URL": "redis://127.0.0.1:1",
}


def redirect(environ, start_response):
    """Django, as far as a request by plain HTTP gets."""
    start_response("301 Moved Permanently", [])
    return [b"null"]


@pytest.mark.processes
class TestSettingsOfProduction:
    def check(self, folder, **variables):
        env = environment(folder, **IN_PRODUCTION | variables)
        return manage(env, "check", "--deploy", "--fail-level", "WARNING")

    @pytest.mark.parametrize("services", ["all", "dataprovider", "repairjobs,stats"])
    def test_pass_djangos_checks(self, tmp_path, services):
        ran = self.check(tmp_path, SERVICES=services)

        assert ran.returncode == 0, ran.stderr
        assert "no issues" in ran.stdout

    @pytest.mark.parametrize(
        ("variable", "value", "id"),
        [
            ("HTTPS", "false", "security.W008"),
            ("SECRET_KEY", "short", "security.W009"),
            ("DEBUG", "true", "security.W018"),
        ],
    )
    def test_that_are_weak_fail_them(self, tmp_path, variable, value, id):
        ran = self.check(tmp_path, **{variable: value})

        assert ran.returncode == 1
        assert id in ran.stderr


@pytest.mark.django_db(databases="__all__")
class TestPages:
    @pytest.mark.parametrize(
        "path", ["/", "/docs", "/docs/stats", "/events", "/dashboard?hotel_id=1", "/admin/login/"]
    )
    def test_may_load_nothing_from_elsewhere_nor_be_framed(self, client, path):
        headers = client.get(path, headers={"Accept": "text/html"}).headers

        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert ("unsafe-eval" in policy) == path.startswith("/admin/")
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"

    @pytest.mark.parametrize("path", ["/", "/docs", "/docs/stats", "/events", "/dashboard"])
    def test_hold_no_script_of_their_own(self, client, path):
        html = client.get(path, headers={"Accept": "text/html"}).content.decode()

        own = re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", html)
        assert own == []
        assert not re.findall(r"\son\w+=\"", html)

    def test_of_swagger_bring_their_script_by_its_address(self, client):
        html = client.get("/docs").content.decode()
        (address,) = re.findall(r'<script src="(/docs[^"]*)"', html)

        answer = client.get(address.replace("&amp;", "&"))

        assert answer.headers["Content-Type"] == "application/javascript"
        assert b"SwaggerUIBundle" in answer.content


@pytest.mark.django_db(databases="__all__")
class TestHTTPS:
    @pytest.fixture(autouse=True)
    def https(self, settings):
        settings.SECURE_SSL_REDIRECT = True

    def test_is_where_requests_are_sent(self, client):
        answer = client.get("/events?limit=1")

        assert answer.status_code == 301
        assert answer.headers["Location"] == "https://testserver/events?limit=1"

    def test_is_not_asked_of_what_watches_the_process(self, client):
        assert client.get("/healthz").status_code == 200

    @pytest.mark.django_db(transaction=True, databases="__all__")
    @pytest.mark.parametrize(
        ("proto", "is_trusted", "status"),
        [("https", True, 201), ("http", True, 301), ("https", False, 301)],
    )
    def test_is_asked_of_messages_too(self, settings, proto, is_trusted, status):
        settings.TRUST_PROXY = is_trusted
        settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

        assert post({"X_Forwarded_Proto": proto}, app=wrap_wsgi(redirect))[0] == status
