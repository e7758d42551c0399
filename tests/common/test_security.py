import re

import pytest

from stats.api.fast_path import wrap_wsgi
from tests.common.wsgi import post
from tests.processes import environment, manage

PRODUCTION_SETTINGS = {
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
    """Answer as Django answers a request by plain HTTP."""
    start_response("301 Moved Permanently", [])
    return [b"null"]


@pytest.mark.processes
class TestProductionSettings:
    def check(self, folder, **variables):
        env = environment(folder, **PRODUCTION_SETTINGS | variables)
        return manage(env, "check", "--deploy", "--fail-level", "WARNING")

    @pytest.mark.parametrize("services", ["all", "dataprovider", "repairjobs,stats"])
    def test_production_settings_pass_djangos_deployment_checks(self, tmp_path, services):
        process = self.check(tmp_path, SERVICES=services)

        assert process.returncode == 0, process.stderr
        assert "no issues" in process.stdout

    @pytest.mark.parametrize(
        ("variable", "value", "id"),
        [
            ("HTTPS", "false", "security.W008"),
            ("SECRET_KEY", "short", "security.W009"),
            ("DEBUG", "true", "security.W018"),
        ],
    )
    def test_weak_settings_fail_djangos_deployment_checks(self, tmp_path, variable, value, id):
        process = self.check(tmp_path, **{variable: value})

        assert process.returncode == 1
        assert id in process.stderr


@pytest.mark.django_db(databases="__all__")
class TestPages:
    @pytest.mark.parametrize(
        "path", ["/", "/docs", "/docs/stats", "/events", "/dashboard?hotel_id=1", "/admin/login/"]
    )
    def test_pages_load_only_from_this_host_and_cannot_be_framed(self, client, path):
        headers = client.get(path, headers={"Accept": "text/html"}).headers

        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert ("unsafe-eval" in policy) == path.startswith("/admin/")
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"

    @pytest.mark.parametrize("path", ["/", "/docs", "/docs/stats", "/events", "/dashboard"])
    def test_pages_have_no_inline_scripts(self, client, path):
        html = client.get(path, headers={"Accept": "text/html"}).content.decode()

        inline_scripts = re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", html)
        assert inline_scripts == []
        assert not re.findall(r"\son\w+=\"", html)

    def test_swagger_pages_load_their_script_from_a_url(self, client):
        html = client.get("/docs").content.decode()
        (address,) = re.findall(r'<script src="(/docs[^"]*)"', html)

        response = client.get(address.replace("&amp;", "&"))

        assert response.headers["Content-Type"] == "application/javascript"
        assert b"SwaggerUIBundle" in response.content


@pytest.mark.django_db(databases="__all__")
class TestHTTPS:
    @pytest.fixture(autouse=True)
    def https(self, settings):
        settings.SECURE_SSL_REDIRECT = True

    def test_plain_http_is_redirected_to_https(self, client):
        response = client.get("/events?limit=1")

        assert response.status_code == 301
        assert response.headers["Location"] == "https://testserver/events?limit=1"

    def test_the_health_check_works_over_plain_http(self, client):
        assert client.get("/healthz").status_code == 200

    @pytest.mark.django_db(transaction=True, databases="__all__")
    @pytest.mark.parametrize(
        ("proto", "is_trusted", "status"),
        [("https", True, 201), ("http", True, 301), ("https", False, 301)],
    )
    def test_the_fast_path_redirects_plain_http_too(self, settings, proto, is_trusted, status):
        settings.TRUST_PROXY = is_trusted
        settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

        assert post({"X_Forwarded_Proto": proto}, app=wrap_wsgi(redirect))[0] == status
