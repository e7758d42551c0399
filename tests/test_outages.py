"""Each database is stopped and started under load. Nothing is lost or doubled; no 500 occurs."""

import collections
import itertools
import threading
import time
from contextlib import ExitStack
from uuid import uuid4

import pytest
import requests

from tests.processes import answers, eventually
from tests.servers import MariaDB, NoServer, Postgres, Redis, new_server
from tests.support.repairjobs.mongod import NoMongod, running_mongod
from tests.test_full_stack import EVENT, MESSAGE, Stack, add_job, statuses

pytestmark = [
    pytest.mark.soak,
    # An exception in a sender thread fails the test.
    pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning"),
]

OUTAGE_SECONDS = 20.0
# The names of each server's databases in /readyz.
NAMES = {
    "postgres": {"default", "dataprovider", "dashboard"},
    "mariadb": {"repairjobs", "client"},
    "mongo": {"documents"},
    "redis": {"broker"},
}
# The first job's id. It is part of the phone number, so ids end at 999.
FIRST_JOB = 300


class Sender(threading.Thread):
    """Posts one item after another. Repeats each until it is accepted."""

    def __init__(self, url: str, items) -> None:
        super().__init__(daemon=True)
        self.url, self.items = url, items
        self.is_stopped = threading.Event()
        self.accepted = 0
        self.statuses: collections.Counter[int] = collections.Counter()

    def run(self) -> None:
        with requests.Session() as session:
            for item in self.items:
                while not self.is_accepted(session, item):
                    self.is_stopped.wait(0.1)
                self.accepted += 1
                if self.is_stopped.wait(0.02):
                    return

    def is_accepted(self, session: requests.Session, item: dict[str, object]) -> bool:
        response = session.post(self.url, json=item, timeout=60)
        self.statuses[response.status_code] += 1
        if response.status_code == 503:
            assert response.headers["Retry-After"]
        return response.ok


@pytest.fixture
def servers():
    """Servers that the test may stop."""
    with ExitStack() as running:
        try:
            mongod = running.enter_context(running_mongod())
            servers = {"mongo": mongod}
            for name, kind in {"postgres": Postgres, "mariadb": MariaDB, "redis": Redis}.items():
                servers[name] = running.enter_context(new_server(kind))
        except (NoServer, NoMongod) as error:
            pytest.skip(f"NOT TESTED, outages: {error}")
        mongod.stop = mongod.kill
        yield servers


@pytest.fixture
def stack(servers, tmp_path):
    urls = {name: server.url for name, server in servers.items()}
    stack = Stack(tmp_path, urls["postgres"], urls["mariadb"], urls["mongo"], urls["redis"])
    assert stack.migrate().returncode == 0
    with ExitStack() as running:
        for service in ("web", "dataprovider", "worker", "worker-repairjobs", "beat"):
            stack.processes[service] = running.enter_context(stack.start(service))
        eventually(lambda: answers(stack.url("web", "/readyz")), "the web is ready")
        eventually(
            lambda: answers(stack.url("dataprovider", "/readyz")), "the data provider is ready"
        )
        yield stack


def readiness(stack):
    return requests.get(stack.url("web", "/readyz"), timeout=60)


def unavailable_names(stack):
    checks = readiness(stack).json()["checks"]
    return {name for name, state in checks.items() if state == "unavailable"}


def outage(stack, server, name, job_ids):
    """Stop a server under load, check the responses, start it, and wait until all is well."""
    server.stop()
    eventually(lambda: unavailable_names(stack) == NAMES[name], f"/readyz names {name}")
    assert readiness(stack).status_code == 503
    deadline = time.monotonic() + OUTAGE_SECONDS
    while time.monotonic() < deadline:
        if name != "mariadb":
            add_job(stack, next(job_ids))
        for path in ("/stats?customerId=61", "/events?limit=1", "/dashboard?hotel_id=7", "/jobs"):
            response = requests.get(stack.url("web", path), timeout=60)
            assert response.status_code in {200, 503}, (name, path, response.text)
        threading.Event().wait(OUTAGE_SECONDS / 8)
    server.start()
    eventually(lambda: not unavailable_names(stack), f"all is well after {name}")


def test_every_database_can_be_unavailable_for_a_while_without_loss(servers, stack):
    job_ids = itertools.count(FIRST_JOB)
    add_job(stack, next(job_ids))
    eventually(lambda: statuses(stack)[FIRST_JOB] == "OPENED", "the first job is opened")
    messages = (MESSAGE | {"customerId": 61, "uuid": str(uuid4())} for _ in itertools.count())
    events = (EVENT | {"id": number} for number in itertools.count(1))
    payments = (
        {"reference": f"R-{number}", "amount": "1.00", "currency": "GBP"}
        for number in itertools.count()
    )
    senders = {
        "messages": Sender(stack.url("web", "/messages"), messages),
        "events": Sender(stack.url("dataprovider", "/events"), events),
        "payments": Sender(stack.url("web", f"/jobs/{FIRST_JOB}/payments"), payments),
    }
    for sender in senders.values():
        sender.start()

    for name, server in servers.items():
        outage(stack, server, name, job_ids)

    for sender in senders.values():
        sender.is_stopped.set()
        sender.join(60)
        assert not sender.is_alive()
        # Each sender saw its database's outage and no other error.
        assert {201, 503} <= set(sender.statuses) <= {200, 201, 503}, sender.statuses
    [total] = requests.get(stack.url("web", "/stats?customerId=61"), timeout=60).json()
    assert total["count"] == senders["messages"].accepted

    def booked():
        report = stack.url("web", "/dashboard?hotel_id=7&year=2020&period=year")
        return requests.get(report, timeout=60).json()["total"]["bookings"]

    eventually(lambda: booked() == senders["events"].accepted, "every event is on the dashboard")
    paid = stack.in_mariadb(f"SELECT COUNT(*) FROM {stack.name}_repairjobs.repairjobs_payment")
    assert paid == [(senders["payments"].accepted,)]
    eventually(lambda: set(statuses(stack).values()) == {"OPENED"}, "every job is opened")
    for job_id in statuses(stack):
        assert stack.output().count(f"+447700900{job_id}") == 1
        document = requests.get(stack.url("web", f"/jobs/{job_id}"), timeout=60)
        assert document.json()["job_id"] == f"{job_id:05}"
    for name, process in stack.processes.items():
        assert process.poll() is None, f"{name} ended"
