"""The start of functions: imports, secrets and logging."""

import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.processes import ROOT, environment
from tests.serverless.gateway import HOST, http_api, read
from tests.serverless.runtime import Failed

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform != "linux", reason="freezes processes by Linux's rules"),
]
NEVER = {"celery", "granian", "honcho", "unfold", "vonage"}
PAGES = {"rest_framework.views", "drf_spectacular.views", "config.urls"}
# A log line of the runtime, with the request id.
LINE = r"^\[{}\]\t\S+Z\t[0-9a-f-]{{36}}\t{}"
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ours"


def imported(folder, handler, service):
    """Return the modules that a function imports before its first invocation."""
    get = f"import serverless.handlers, sys; serverless.handlers.{handler}; print(*sys.modules)"
    env = environment(folder, SERVICES=service)
    command = [sys.executable, "-c", get]
    process = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    return set(process.stdout.split())


class TestImports:
    @pytest.mark.parametrize(
        ("handler", "service"), [("collect_jobs", "repairjobs"), ("ingest_events", "dashboard")]
    )
    def test_a_scheduled_job_imports_no_pages_and_no_other_service(
        self, tmp_path, handler, service
    ):
        modules = imported(tmp_path, handler, service)

        assert f"{service}.scheduled" in modules
        assert not modules & (NEVER | PAGES)
        others = {"stats", "dataprovider", "dashboard", "repairjobs"} - {service}
        assert not {name.partition(".")[0] for name in modules} & others

    def test_the_http_handler_imports_its_pages_and_no_other_service(self, tmp_path):
        modules = imported(tmp_path, "http", "dashboard")

        assert modules >= PAGES
        assert not modules & NEVER
        others = {"stats", "dataprovider", "repairjobs"}
        assert not {name.partition(".")[0] for name in modules} & others


class TestHandlers:
    def test_an_unknown_handler_stops_the_start(self, own_cloud):
        with pytest.raises(Failed) as error:
            own_cloud("nothing", "repairjobs").invoke()

        assert error.value.type == "Runtime.HandlerNotFound"

    def test_unsafe_settings_stop_the_start(self, own_cloud):
        with pytest.raises(Failed) as error:
            own_cloud("collect_jobs", "repairjobs", OUTBOX_LEASE_SECONDS="10").invoke()

        assert error.value.type == "ImproperlyConfigured"
        assert "OUTBOX_LEASE_SECONDS" in error.value.message


class TestLog:
    def test_log_lines_of_a_job_contain_the_request_id(self, own_cloud):
        collect = own_cloud("collect_jobs", "repairjobs")

        collect.invoke()

        assert re.search(
            LINE.format("INFO", "collect_jobs finished: "), collect.log.read_text(), re.M
        )

    def test_log_lines_of_http_contain_the_request_id(self, own_cloud):
        http = own_cloud("http", "stats", RATE_LIMIT_URL="redis://127.0.0.1:9")

        http.invoke(http_api("GET", "/stats"))

        assert re.search(LINE.format("WARNING", "RATE_LIMIT_URL"), http.log.read_text(), re.M)


@pytest.fixture
def secrets_manager():
    """A fake Secrets Manager: a dict of secrets by ARN."""
    secrets = {}

    class Connection(BaseHTTPRequestHandler):
        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.headers["X-Amz-Target"] == "secretsmanager.GetSecretValue"
            assert self.headers["Authorization"].startswith(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE"
            )
            secret = secrets.get(request["SecretId"])
            body = (
                {"ARN": ARN, "SecretString": secret} if secret else {"__type": "ResourceNotFound"}
            )
            content = json.dumps(body).encode()
            self.send_response(200 if secret else 400)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format, *args):
            """Log nothing."""

    server = HTTPServer(("127.0.0.1", 0), Connection)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    secrets["environment"] = {
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://127.0.0.1:{server.server_address[1]}",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "made up",
        "SETTINGS_SECRET": ARN,
    }
    yield secrets
    server.shutdown()
    server.server_close()


class TestSecrets:
    def test_a_secret_overrides_the_environment(self, own_cloud, secrets_manager):
        secrets_manager[ARN] = json.dumps({"ALLOWED_HOSTS": HOST, "SECRET_KEY": "of the secret"})
        settings = secrets_manager["environment"] | {"ALLOWED_HOSTS": "elsewhere.example"}

        http = own_cloud("http", "stats", **settings)

        assert read(http.invoke(http_api("GET", "/stats"))).status == 200

    @pytest.mark.parametrize("secret", ['"password"', '{"DATABASE_URL": 1}', "password"])
    def test_a_malformed_secret_stops_the_start_and_is_not_logged(
        self, own_cloud, secrets_manager, secret
    ):
        secrets_manager[ARN] = secret
        http = own_cloud("http", "stats", **secrets_manager["environment"])

        with pytest.raises(Failed) as error:
            http.invoke(http_api("GET", "/stats"))

        assert error.value.type in {"ValueError", "JSONDecodeError"}
        assert "password" not in error.value.message + http.log.read_text()

    def test_a_missing_secret_stops_the_start(self, own_cloud, secrets_manager):
        http = own_cloud("http", "stats", **secrets_manager["environment"])

        with pytest.raises(Failed) as error:
            http.invoke(http_api("GET", "/stats"))

        assert "GetSecretValue" in error.value.message
