"""Requests that need a real server: chunked and large bodies, and malformed headers."""

import json
import socket
import sys

import pytest

from tests.processes import (
    answers,
    copy_migrated_databases,
    environment,
    eventually,
    free_port,
    running,
)

pytestmark = pytest.mark.processes

EVENT = json.dumps(
    {
        "hotel_id": 1,
        "timestamp": "2020-01-01T00:00:00Z",
        "rpg_status": 1,
        "room_id": 1,
        "night_of_stay": "2020-01-01",
    }
).encode()


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    folder = tmp_path_factory.mktemp("web")
    port = str(free_port())
    env = environment(folder, SERVICES="dataprovider", API_KEYS_REQUIRED="false", PORT=port)
    copy_migrated_databases(env)
    web = [sys.executable, "-m", "granian", "--interface", "wsgi", "config.wsgi:application"]
    with running(env, *web, "--port", env["PORT"], "--blocking-threads", "4"):
        eventually(lambda: answers(f"http://127.0.0.1:{env['PORT']}/healthz"), "the web answers")
        yield int(env["PORT"])


def send(port, head, *chunks):
    """Send a raw request. Return status and body of the response."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        lines = [head, "Host: 127.0.0.1", "Connection: close"]
        connection.sendall("\r\n".join(lines).encode() + b"\r\n")
        for chunk in chunks:
            connection.sendall(chunk)
        response = b""
        while received := connection.recv(65536):
            response += received
    top, _, body = response.partition(b"\r\n\r\n")
    return int(top.split()[1]), body


def chunked(*chunks):
    head = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return [head, *[b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks], b"0\r\n\r\n"]


class TestChunkedBodies:
    def test_a_chunked_body_is_read_completely(self, port):
        status, body = send(port, "POST /events HTTP/1.1", *chunked(EVENT[:20], EVENT[20:]))

        assert status == 201, body

    def test_a_chunked_body_that_is_too_large_is_rejected(self, port):
        status, body = send(port, "POST /events HTTP/1.1", *chunked(*[b" " * 1_000_000] * 30))

        assert status == 413, body
        assert b"The maximum is 65536 bytes" in body


class TestLargeBodies:
    @pytest.mark.parametrize(("path", "status"), [("/events", 413), ("/nothing", 404)])
    def test_a_client_that_sends_an_unwanted_large_body_gets_the_response(self, port, path, status):
        head = b"Content-Type: application/json\r\nContent-Length: 50000000\r\n\r\n"

        response_status, _ = send(port, f"POST {path} HTTP/1.1", head, *[b" " * 1_000_000] * 50)

        assert response_status == status


class TestHeaders:
    @pytest.mark.parametrize(
        "media_type",
        [
            "application/json; x*=bogus''y",
            "application/json; charset*=utf-8''%00",
            "multipart/form-data; boundary*=bogus''x",
        ],
    )
    def test_a_malformed_content_type_is_an_error_of_the_client(self, port, media_type):
        head = f"Content-Type: {media_type}\r\nContent-Length: {len(EVENT)}\r\n\r\n".encode()

        status, body = send(port, "POST /events HTTP/1.1", head, EVENT)

        assert status in {400, 415}, body
        assert json.loads(body)

    @pytest.mark.parametrize("accept", ["*/*;q*=bogus''x", "text/html;q*=bogus''x", ""])
    @pytest.mark.parametrize("path", ["/", "/events"])
    def test_a_malformed_accept_header_means_any_format(self, port, path, accept):
        status, body = send(port, f"GET {path} HTTP/1.1", f"Accept: {accept}\r\n\r\n".encode())

        assert status == 200, body
