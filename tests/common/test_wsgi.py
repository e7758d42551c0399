"""What only a real server can show: bodies on the wire and headers that Django stumbles over."""

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


def ask(port, head, *pieces):
    """Status and body of the answer to a request that is sent as it stands."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as wire:
        lines = [head, "Host: 127.0.0.1", "Connection: close"]
        wire.sendall("\r\n".join(lines).encode() + b"\r\n")
        for piece in pieces:
            wire.sendall(piece)
        answer = b""
        while received := wire.recv(65536):
            answer += received
    top, _, body = answer.partition(b"\r\n\r\n")
    return int(top.split()[1]), body


def chunks(*pieces):
    head = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return [head, *[b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces], b"0\r\n\r\n"]


class TestChunkedBodies:
    def test_are_read_whole(self, port):
        status, body = ask(port, "POST /events HTTP/1.1", *chunks(EVENT[:20], EVENT[20:]))

        assert status == 201, body

    def test_are_refused_when_too_large(self, port):
        status, body = ask(port, "POST /events HTTP/1.1", *chunks(*[b" " * 1_000_000] * 30))

        assert status == 413, body
        assert b"allowed: 65536 bytes" in body


class TestLargeBodies:
    @pytest.mark.parametrize(("path", "status"), [("/events", 413), ("/nothing", 404)])
    def test_are_answered_though_nobody_wants_them(self, port, path, status):
        head = b"Content-Type: application/json\r\nContent-Length: 50000000\r\n\r\n"

        answered, _ = ask(port, f"POST {path} HTTP/1.1", head, *[b" " * 1_000_000] * 50)

        assert answered == status


class TestHeaders:
    @pytest.mark.parametrize(
        "kind",
        [
            "application/json; x*=bogus''y",
            "application/json; charset*=utf-8''%00",
            "multipart/form-data; boundary*=bogus''x",
        ],
    )
    def test_that_nobody_can_read_are_no_media_type_of_ours(self, port, kind):
        head = f"Content-Type: {kind}\r\nContent-Length: {len(EVENT)}\r\n\r\n".encode()

        status, body = ask(port, "POST /events HTTP/1.1", head, EVENT)

        assert status in {400, 415}, body
        assert json.loads(body)

    @pytest.mark.parametrize("accept", ["*/*;q*=bogus''x", "text/html;q*=bogus''x", ""])
    @pytest.mark.parametrize("path", ["/", "/events"])
    def test_that_accept_nonsense_accept_anything(self, port, path, accept):
        status, body = ask(port, f"GET {path} HTTP/1.1", f"Accept: {accept}\r\n\r\n".encode())

        assert status == 200, body
