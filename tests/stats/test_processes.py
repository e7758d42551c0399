"""A real server that is killed with -9 under load, and that receives 50 MB."""

import os
import random
import signal
import socket
import sqlite3
import sys
import threading
from pathlib import Path

import pytest
import requests

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
from tests.stats.factories import message_json

pytestmark = pytest.mark.processes

SENDERS = 16


def server(port):
    granian = Path(sys.executable).parent / "granian"
    return [str(granian), "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
            "--workers", "1", "--blocking-threads", "16", "--backpressure", "256", "--no-ws",
            "--log-level", "error", "config.wsgi:application"]  # fmt: skip


@pytest.fixture
def env(tmp_path):
    env = environment(tmp_path, SERVICES="stats", API_KEYS_REQUIRED="false")
    copy_migrated_databases(env)
    return env


class Sender(threading.Thread):
    """Posts its messages one after another, and again if there is no response."""

    def __init__(self, url, messages, responses):
        super().__init__()
        self.url, self.unsent, self.responses = url, messages, responses
        self.confirmed = []

    def run(self):
        session = requests.Session()
        while self.unsent:
            message = self.unsent[-1]
            try:
                status = session.post(f"{self.url}/messages", json=message, timeout=30).status_code
            except requests.RequestException:
                session.close()
                eventually(lambda: answers(f"{self.url}/healthz"), "the server is back")
                continue
            assert status in {200, 201}, status
            self.confirmed.append(self.unsent.pop())
            self.responses.release()


@pytest.mark.parametrize(
    "kills",
    [
        1,
        pytest.param(3, id="3", marks=pytest.mark.full),
        pytest.param(20, id="20", marks=pytest.mark.soak),
    ],
)
def test_killed_server_loses_no_message_and_counts_none_twice(env, tmp_path, kills):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    rng = random.Random(kills)
    responses = threading.Semaphore(0)
    messages = [
        [message_json(customerId=rng.randint(1, 3)) for _ in range(40 * kills)]
        for _ in range(SENDERS)
    ]
    all_messages = [message for part in messages for message in part]
    senders = [Sender(url, list(part), responses) for part in messages]
    for kill in range(kills):
        with running(env, *server(port)) as process:
            eventually(lambda: answers(f"{url}/healthz"), "the server is up")
            if kill == 0:
                for sender in senders:
                    sender.start()
            for _ in range(rng.randint(50, 300)):
                assert responses.acquire(timeout=PATIENCE)
            # granian's supervisor and its worker at the same time, so that neither can clean up.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        confirmed = {message["uuid"] for sender in senders for message in list(sender.confirmed)}
        with sqlite3.connect(tmp_path / "default.sqlite3") as database:
            rows = database.execute("SELECT uuid FROM stats_message").fetchall()
        assert {uuid.replace("-", "") for uuid in confirmed} <= {uuid for (uuid,) in rows}
        assert "No difference" in manage(env, "verify_stats").stdout
    with running(env, *server(port)):
        for sender in senders:
            sender.join(PATIENCE)
            assert not sender.unsent
        totals = requests.get(f"{url}/stats", timeout=30).json()
    assert "No difference" in manage(env, "verify_stats").stdout
    assert sum(total["count"] for total in totals) == len(all_messages)


def status_in(folder):
    """Return the status of a process, or "" if it has just ended."""
    try:
        return (folder / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


class TestARealServer:
    @pytest.fixture
    def url(self, env):
        port = free_port()
        with running(env, *server(port)) as process:
            self.pid = process.pid
            eventually(lambda: answers(f"http://127.0.0.1:{port}/healthz"), "the server is up")
            yield f"http://127.0.0.1:{port}"

    def memory(self):
        """Return the peak memory of the server and its worker in MiB."""
        statuses = [
            status
            for status in map(status_in, Path("/proc").glob("[0-9]*"))
            if f"NSsid:\t{self.pid}\n" in status
        ]
        peaks = [
            int(line.split()[1])
            for status in statuses
            for line in status.splitlines()
            if line.startswith("VmHWM")
        ]
        assert peaks
        return sum(peaks) / 1024

    @pytest.mark.parametrize(
        "path", [pytest.param("/messages", marks=pytest.mark.full), "/messages/batch"]
    )
    def test_body_of_50_mb_gets_413_in_bounded_memory(self, url, path):
        body = b"[" + b'{"a": 1},' * 5_500_000 + b"{}]"
        before = self.memory()

        for _ in range(2):
            answer = requests.post(
                f"{url}{path}", body, headers={"Content-Type": "application/json"}, timeout=60
            )
            assert answer.status_code == 413
            assert "too large" in answer.json()["detail"]

        assert self.memory() < before + 60

    def test_server_survives_a_truncated_body(self, url):
        host, port = url.removeprefix("http://").split(":")
        for _ in range(5):
            with socket.create_connection((host, int(port))) as client:
                client.sendall(
                    b"POST /messages HTTP/1.1\r\nHost: localhost\r\n"
                    b"Content-Type: application/json\r\nContent-Length: 500\r\n\r\n"
                    b'{"customerId": 1'
                )

        assert requests.post(f"{url}/messages", json=message_json(), timeout=30).status_code == 201
