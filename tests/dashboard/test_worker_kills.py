"""A real worker that is killed with -9 during ingestion, several times."""

import os
import random
import shlex
import signal
import sqlite3
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import responses

from local.launcher import commands
from tests.dashboard.counting import expected_totals
from tests.dashboard.fake_provider import Clock, FakeProvider, event, parse_parameters
from tests.processes import copy_migrated_databases, environment, eventually, manage, running

pytestmark = pytest.mark.processes

EVENTS, PAGE_SIZE, PAGES_PER_COMMIT = 2_000, 20, 10


class KillingProvider(ThreadingHTTPServer):
    """The fake provider as a real server, which kills its client at a given page."""

    daemon_threads = True
    victim: int | None = None
    pages_left = 0

    def __init__(self, fake):
        self.fake = fake
        super().__init__(("127.0.0.1", 0), Pages)

    def count_page(self):
        self.pages_left -= 1
        if self.victim and self.pages_left == 0:
            os.kill(self.victim, signal.SIGKILL)
            self.victim = None


class Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        parameters = parse_parameters(self.path)
        status, headers, text = self.server.fake.good_response(parameters)
        self.server.count_page()
        body = text.encode()
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def killing_provider():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        fake = FakeProvider(mock, Clock())
    fake.page_size = PAGE_SIZE
    rng = random.Random(5)
    for id in range(1, EVENTS + 1):
        fake.add(
            event(
                id,
                at=f"2020-01-01T{id // 200:02}:00:00Z",
                night=f"2020-02-{rng.randint(1, 28):02}",
                status=rng.choice([1, 1, 1, 2]),
                hotel=rng.randint(1, 3),
            )
        )
    with KillingProvider(fake) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def stored_totals(folder: Path):
    with sqlite3.connect(folder / "dashboard.sqlite3") as database:
        rows = database.execute(
            "SELECT hotel_id, date_basis, day, bookings, cancellations FROM dashboard_dailytotal"
        ).fetchall()
    totals = {}
    for *key, bookings, cancellations in rows:
        totals |= {(*key, 1): bookings, (*key, 2): cancellations}
    return {key: count for key, count in totals.items() if count}


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(3, id="3", marks=pytest.mark.full),
        pytest.param(10, id="10", marks=pytest.mark.soak),
    ],
)
def test_killed_worker_loses_no_event_and_counts_none_twice(killing_provider, tmp_path, kills):
    port = killing_provider.server_address[1]
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
    rng = random.Random(kills)
    with running(env, *run["beat"]):
        for kill in range(kills):
            with running(env, *run["worker"]) as process:
                killing_provider.pages_left = rng.randint(2, 3 * PAGES_PER_COMMIT)
                killing_provider.victim = process.pid
                eventually(lambda p=process: p.poll() is not None, f"kill {kill} ends the worker")
                assert process.returncode == -signal.SIGKILL
        with running(env, *run["worker"]):
            eventually(
                lambda: stored_totals(tmp_path) == expected_totals(killing_provider.fake.events),
                "the totals are exact",
            )
    assert "No difference" in manage(env, "verify_dashboard").stdout
