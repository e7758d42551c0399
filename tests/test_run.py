"""``make run``: all processes on embedded databases, used over HTTP."""

import signal
import sys

import pytest
import requests

from tests.processes import (
    PATIENCE,
    answers,
    environment,
    eventually,
    free_port,
    manage,
    processes_with,
    running,
)

pytestmark = pytest.mark.processes

EVENT = {
    "id": 1,
    "hotel_id": 7,
    "timestamp": "2020-01-01T00:00:00Z",
    "rpg_status": 1,
    "room_id": "101",
    "night_of_stay": "2020-02-03",
}


@pytest.fixture
def env(tmp_path):
    return environment(tmp_path, PORT=str(free_port()), DEMO="false", INGEST_SECONDS="1")


def url(env, path=""):
    return f"http://127.0.0.1:{env['PORT']}{path}"


def bookings(env):
    report = url(env, "/dashboard?hotel_id=7&year=2020&period=year")
    return requests.get(report, timeout=PATIENCE).json()["total"]["bookings"]


@pytest.mark.full
def test_seed_dashboard_ingests_the_seeded_events_without_a_server(env):
    manage(env, "migrate_databases", "--verbosity=0")
    seeded = manage(env, "seed_events", "--days=30").stdout
    count = seeded.removeprefix("Seeded ").removesuffix(" events\n")

    assert f"Stored {count} events" in manage(env, "seed_dashboard").stdout
    assert "already has data" in manage(env, "seed_dashboard").stdout
    assert processes_with(f"DATA_DIR={env['DATA_DIR']}") == []


@pytest.mark.full
class TestMakeRun:
    def test_a_posted_event_reaches_the_dashboard_and_survives_a_restart(self, env, tmp_path):
        with running(env, sys.executable, "-m", "local") as run:
            eventually(lambda: answers(url(env, "/readyz")), "the web is ready")
            response = requests.post(url(env, "/events"), json=EVENT, timeout=PATIENCE)
            assert response.status_code == 201
            eventually(lambda: bookings(env) == 1, "worker and beat ingest the event")

            run.send_signal(signal.SIGINT)

            assert run.wait(PATIENCE) == 0
            assert processes_with(f"DATA_DIR={tmp_path}") == []
        log = (tmp_path / "output.log").read_text()
        assert "ingest_events: stored=1" in log
        assert "Traceback" not in log

        with running(env, sys.executable, "-m", "local") as again:
            eventually(lambda: answers(url(env, "/readyz")), "it starts again")
            assert bookings(env) == 1
            again.send_signal(signal.SIGHUP)
            assert again.wait(PATIENCE) == 0
            assert processes_with(f"DATA_DIR={tmp_path}") == []

    def test_make_run_reports_that_the_port_is_in_use(self, env, tmp_path):
        with running(env, sys.executable, "-m", "http.server", env["PORT"], "--bind", "127.0.0.1"):
            eventually(lambda: answers(url(env)), "another server uses the port")
            with running(env, sys.executable, "-m", "local") as run:
                assert run.wait(PATIENCE) == 1

        assert "choose another port: make run PORT=8001" in (tmp_path / "output.log").read_text()
