"""How functions start: with what they import, read and log."""

import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.processes import ROOT, environment
from tests.serverless.gateway import HOST, http_api, read
from tests.serverless.local import Failed

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform != "linux", reason="freezes processes by Linux's rules"),
]
NEVER = {"celery", "granian", "honcho", "unfold", "vonage"}
PAGES = {"rest_framework.views", "drf_spectacular.views", "config.urls"}
# As the runtime has it: with the request's id.
LINE = r"^\[{}\]\t\S+Z\t[0-9a-f-]{{36}}\t{}"
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ours"


def imported(folder, handler, service):
    """The modules that a function has imported before its first invocation."""
    get = f"import serverless.handlers, sys; serverless.handlers.{handler}; print(*sys.modules)"
    env = environment(folder, SERVICES=service)
    command = [sys.executable, "-c", get]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


class TestImports:
    @pytest.mark.parametrize(
        ("handler", "service"), [("collect_jobs", "repairjobs"), ("ingest_events", "dashboard")]
    )
    def test_of_a_round_are_no_page_and_no_other_service(self, tmp_path, handler, service):
        modules = imported(tmp_path, handler, service)

        assert f"{service}.scheduled" in modules
        assert not modules & (NEVER | PAGES)
        others = {"stats", "dataprovider", "dashboard", "repairjobs"} - {service}
        assert not {name.partition(".")[0] for name in modules} & others

    def test_of_http_are_its_pages_and_no_other_service(self, tmp_path):
        modules = imported(tmp_path, "http", "dashboard")

        assert modules >= PAGES
        assert not modules & NEVER
        others = {"stats", "dataprovider", "repairjobs"}
        assert not {name.partition(".")[0] for name in modules} & others


class TestHandlers:
    def test_that_are_none_of_ours_end_the_start(self, own_cloud):
        with pytest.raises(Failed) as failed:
            own_cloud("nothing", "repairjobs").invoke()

        assert failed.value.type == "Runtime.HandlerNotFound"

    def test_end_the_start_where_settings_are_unsafe(self, own_cloud):
        with pytest.raises(Failed) as failed:
            own_cloud("collect_jobs", "repairjobs", OUTBOX_LEASE_SECONDS="10").invoke()

        assert failed.value.type == "ImproperlyConfigured"
        assert "OUTBOX_LEASE_SECONDS" in failed.value.message


class TestLog:
    def test_names_the_request_in_each_line(self, own_cloud):
        collect = own_cloud("collect_jobs", "repairjobs")

        collect.invoke()

        assert re.search(
            LINE.format("INFO", "collect_jobs finished: "), collect.log.read_text(), re.M
        )

    def test_of_http_names_it_too(self, own_cloud):
        http = own_cloud("http", "stats", RATE_LIMIT_URL="redis://127.0.0.1:9")

        http.invoke(http_api("GET", "/stats"))

        assert re.search(LINE.format("WARNING", "RATE_LIMIT_URL"), http.log.read_text(), re.M)


@pytest.fixture
def secrets_manager():
    """Secrets Manager on the wire: secrets by their ARN."""
    secrets = {}

    class Connection(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.headers["X-Amz-Target"] == "secretsmanager.GetSecretValue"
            assert self.headers["Authorization"].startswith(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE"
            )
            found = secrets.get(asked["SecretId"])
            body = {"ARN": ARN, "SecretString": found} if found else {"__type": "ResourceNotFound"}
            content = json.dumps(body).encode()
            self.send_response(200 if found else 400)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format, *args):
            """Nobody reads this."""

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
    def test_are_settings_before_anything_else(self, own_cloud, secrets_manager):
        secrets_manager[ARN] = json.dumps({"ALLOWED_HOSTS": HOST, "SECRET_KEY": "of the secret"})
        settings = secrets_manager["environment"] | {"ALLOWED_HOSTS": "elsewhere.example"}

        http = own_cloud("http", "stats", **settings)

        assert read(http.invoke(http_api("GET", "/stats"))).status == 200

    @pytest.mark.parametrize("held", ['"password"', '{"DATABASE_URL": 1}', "password"])
    def test_that_are_no_settings_end_the_start_and_stay_secret(
        self, own_cloud, secrets_manager, held
    ):
        secrets_manager[ARN] = held
        http = own_cloud("http", "stats", **secrets_manager["environment"])

        with pytest.raises(Failed) as failed:
            http.invoke(http_api("GET", "/stats"))

        assert failed.value.type in {"ValueError", "JSONDecodeError"}
        assert "password" not in failed.value.message + http.log.read_text()

    def test_that_are_not_there_end_the_start(self, own_cloud, secrets_manager):
        http = own_cloud("http", "stats", **secrets_manager["environment"])

        with pytest.raises(Failed) as failed:
            http.invoke(http_api("GET", "/stats"))

        assert "GetSecretValue" in failed.value.message
