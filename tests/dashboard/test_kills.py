"""A real worker, killed with -9 in the middle of a backfill, again and again."""

import os
import random
import shlex
import signal
import sqlite3
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
import responses

from local.launcher import commands
from tests.dashboard.fake_provider import Clock, FakeProvider, event
from tests.dashboard.test_ingestion import plain_count
from tests.processes import copy_migrated_databases, environment, eventually, manage, running

pytestmark = pytest.mark.processes

EVENTS, PAGE_SIZE, PAGES_A_COMMIT = 2_000, 20, 10


class Deadly(ThreadingHTTPServer):
    """The fake provider on a real socket; it kills its client on the page that it is told to."""

    daemon_threads = True
    victim: int | None = None
    pages_left = 0

    def __init__(self, fake):
        self.fake = fake
        super().__init__(("127.0.0.1", 0), Pages)

    def strike(self):
        self.pages_left -= 1
        if self.victim and self.pages_left == 0:
            os.kill(self.victim, signal.SIGKILL)
            self.victim = None


class Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked = {name: each[0] for name, each in parse_qs(urlsplit(self.path).query).items()}
        status, headers, text = self.server.fake.good_answer(asked)
        self.server.strike()
        body = text.encode()
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Tests print nothing."""


@pytest.fixture
def deadly():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        fake = FakeProvider(mock, Clock())
    fake.page_size = PAGE_SIZE
    chance = random.Random(5)
    for id in range(1, EVENTS + 1):
        fake.add(
            event(
                id,
                at=f"2020-01-01T{id // 200:02}:00:00Z",
                night=f"2020-02-{chance.randint(1, 28):02}",
                status=chance.choice([1, 1, 1, 2]),
                hotel=chance.randint(1, 3),
            )
        )
    with Deadly(fake) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def totals(folder: Path):
    with sqlite3.connect(folder / "dashboard.sqlite3") as store:
        rows = store.execute(
            "SELECT hotel_id, reading, day, bookings, cancellations FROM dashboard_dailytotal"
        ).fetchall()
    counted = {}
    for hotel, reading, day, bookings, cancellations in rows:
        counted |= {(hotel, reading, day, 1): bookings, (hotel, reading, day, 2): cancellations}
    return {place: count for place, count in counted.items() if count}


@pytest.mark.parametrize(
    "kills",
    [
        1,
        pytest.param(3, id="3", marks=pytest.mark.full),
        pytest.param(10, id="10", marks=pytest.mark.soak),
    ],
)
def test_a_killed_worker_loses_and_doubles_nothing(deadly, tmp_path, kills):
    port = deadly.server_address[1]
    env = environment(
        tmp_path,
        SERVICES="dashboard",
        DATA_PROVIDER_URL=f"http://127.0.0.1:{port}",
        INGEST_SECONDS="1",
        INGEST_LEASE_SECONDS="1",
        SILENCED_CHECKS="dashboard.E001",  # for such a short lease
    )
    copy_migrated_databases(env)
    run = {name: shlex.split(command) for name, command in commands(0, ["dashboard"]).items()}
    chance = random.Random(kills)
    with running(env, *run["beat"]):
        for kill in range(kills):
            with running(env, *run["worker"]) as process:
                deadly.pages_left = chance.randint(2, 3 * PAGES_A_COMMIT)
                deadly.victim = process.pid
                eventually(lambda p=process: p.poll() is not None, f"kill {kill} strikes")
                assert process.returncode == -signal.SIGKILL
        with running(env, *run["worker"]):
            eventually(
                lambda: totals(tmp_path) == plain_count(deadly.fake.events), "the end is exact"
            )
    assert "No difference" in manage(env, "verify_dashboard").stdout
