"""The commands of docker-compose.yml, run as processes on real database servers."""

import collections
import itertools
import os
import secrets
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import psycopg2
import pymongo
import pymysql
import pytest
import requests

from tests.compose import command_of, environment_of, health_command_of
from tests.processes import (
    PATIENCE,
    ROOT,
    answers,
    environment,
    eventually,
    free_port,
    running,
)
from tests.servers import (
    MariaDB,
    NoServer,
    Postgres,
    Redis,
    connection_parameters,
    server_for_one_test,
    server_url,
)
from tests.support.repairjobs.mongod import mongo_server_url  # noqa: F401 - a fixture

# All tests share one stack and run in this order: the last tests stop its processes.
pytestmark = [pytest.mark.processes, pytest.mark.full]

EVENT = {
    "id": 1,
    "hotel_id": 7,
    "timestamp": "2020-01-01T00:00:00Z",
    "rpg_status": 1,
    "room_id": "101",
    "night_of_stay": "2020-02-03",
}
MESSAGE = {
    "customerId": 1,
    "type": "A",
    "amount": "0.012",
    "uuid": "a596b362-08be-419f-8070-9c3055566e7c",
}
# Variables that .env may set.
FASTER = {"API_KEYS_REQUIRED": "false", "INGEST_SECONDS": "1", "COLLECT_SECONDS": "1"}


class Stack:
    """Commands and environment of the containers, with addresses of this machine."""

    def __init__(self, folder: Path, postgres: str, mariadb: str, mongo: str, redis: str) -> None:
        self.folder = folder
        self.name = f"test_{secrets.token_hex(4)}"
        self.postgres, self.mariadb = postgres, mariadb
        self.mongo = mongo.replace("/?", f"/{self.name}?")
        self.ports: dict[str, int] = {}
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self.addresses = {
            "postgres://app:@postgres/": f"{postgres}/{self.name}_",
            "mysql://app:@mariadb/": f"{mariadb}/{self.name}_",
            "mongodb://mongo/repairjobs?replicaSet=rs0": self.mongo,
            "redis://redis": redis,
            "http://dataprovider:8000": self.url("dataprovider"),
        }

    def url(self, name: str, path: str = "") -> str:
        return f"http://127.0.0.1:{self.ports.setdefault(name, free_port())}{path}"

    def env(self, service: str, name: str) -> dict[str, str]:
        """Return the container's environment for this machine, with its own data folder."""
        variables = environment_of(service, {"SECRET_KEY": "of this test alone"})
        for variable, value in variables.items():
            for theirs, here in self.addresses.items():
                value = value.replace(theirs, here)
            variables[variable] = value
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return environment(folder) | variables | FASTER | {"DATA_DIR": str(folder), "PATH": path}

    def here(self, name: str, words: list[str]) -> list[str]:
        """Return a command that listens on a port of this machine only."""
        port = self.url(name).rpartition(":")[2]
        return [word.replace("8000", port).replace("0.0.0.0", "127.0.0.1") for word in words]

    def start(self, service: str, name: str | None = None):
        """Start the service as a process. Another name starts a second process of it."""
        name = name or service
        return running(self.env(service, name), *self.here(name, command_of(service)))

    def migrate(self) -> subprocess.CompletedProcess[str]:
        return self._run("migrate", command_of("migrate"))

    def is_healthy(self, service: str) -> bool:
        return self._run(service, health_command_of(service)).returncode == 0

    def _run(self, service: str, words: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.here(service, words),
            cwd=ROOT,
            env=self.env(service, service),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def output(self) -> str:
        """Return the output of all workers for repair jobs."""
        logs = self.folder.glob("worker-repairjobs*/output.log")
        return "".join(log.read_text() for log in logs)

    def in_mariadb(self, statement: str, values: list[object] | None = None) -> list[tuple]:
        place = connection_parameters(self.mariadb)
        with pymysql.connect(**place, autocommit=True) as session, session.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def drop(self) -> None:
        session = psycopg2.connect(f"{self.postgres}/postgres")
        session.autocommit = True
        with session.cursor() as cursor:
            for service in ("stats", "dataprovider", "dashboard"):
                cursor.execute(f"DROP DATABASE IF EXISTS {self.name}_{service} WITH (FORCE)")
        session.close()
        for service in ("repairjobs", "client"):
            self.in_mariadb(f"DROP DATABASE IF EXISTS {self.name}_{service}")
        with pymongo.MongoClient(self.mongo) as client:
            client.drop_database(self.name)


@pytest.fixture(scope="module")
def stack(tmp_path_factory, mongo_server_url):  # noqa: F811
    folder = tmp_path_factory.mktemp("stack")
    with ExitStack() as servers:
        try:
            redis = servers.enter_context(server_for_one_test(Redis))
            stack = Stack(
                folder, server_url(Postgres), server_url(MariaDB), mongo_server_url, f"{redis}/14"
            )
        except NoServer as error:
            reason = f"NOT TESTED, the full stack: {error}"
            pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
        servers.callback(stack.drop)
        migrated = stack.migrate()
        assert migrated.returncode == 0, migrated.stderr
        for service in ("web", "dataprovider", "worker", "worker-repairjobs", "beat"):
            stack.processes[service] = servers.enter_context(stack.start(service))
        for service in ("web", "dataprovider"):
            eventually(lambda: answers(stack.url(service, "/readyz")), f"{service} is ready")  # noqa: B023
        yield stack


def test_a_posted_message_is_counted(stack):
    response = requests.post(stack.url("web", "/messages"), json=MESSAGE, timeout=PATIENCE)
    assert response.status_code == 201

    totals = requests.get(stack.url("web", "/stats"), timeout=PATIENCE).json()

    assert totals == [{"customerId": 1, "type": "A", "count": 1, "totalAmount": "0.012"}]


def test_an_event_of_the_other_process_reaches_the_dashboard(stack):
    response = requests.post(stack.url("dataprovider", "/events"), json=EVENT, timeout=PATIENCE)
    assert response.status_code == 201

    url = stack.url("web", "/dashboard?hotel_id=7&year=2020&period=year")

    eventually(
        lambda: requests.get(url, timeout=PATIENCE).json()["total"]["bookings"] == 1,
        "worker and beat ingest the event",
    )


def statuses(stack):
    """Return the status of each job in the client's table."""
    return dict(stack.in_mariadb(f"SELECT Job_id, Job_status FROM {stack.name}_client.Jobs"))


def add_job(stack, job_id):
    stack.in_mariadb(
        f"INSERT INTO {stack.name}_client.Jobs VALUES (%s, 'Repair', 'NEW', 'Test', 'Customer', "
        "'AB1 2CD', %s, 'P-1', 'Kettle')",
        [job_id, f"07700 900{job_id}"],
    )


def test_a_new_row_of_the_client_is_opened_and_its_customer_gets_an_sms(stack):
    add_job(stack, 123)

    eventually(lambda: statuses(stack)[123] == "OPENED", "the job is opened in the client's table")
    url = stack.url("web", "/jobs/123")
    eventually(
        lambda: requests.get(url, timeout=PATIENCE).json().get("job_status") == "OPENED",
        "the document in MongoDB is updated",
    )
    assert stack.output().count("+447700900123") == 1


def test_every_container_is_healthy(stack):
    for service in ("web", "dataprovider", "worker", "worker-repairjobs", "beat"):
        eventually(lambda: stack.is_healthy(service), f"{service} is healthy")  # noqa: B023


def test_the_data_provider_serves_no_other_service(stack):
    for path in ("/stats", "/jobs", "/dashboard", "/admin/"):
        assert requests.get(stack.url("dataprovider", path), timeout=PATIENCE).status_code == 404


def test_the_sandbox_is_off_if_the_client_is_on_a_server(stack):
    assert requests.get(stack.url("web", "/client/jobs"), timeout=PATIENCE).status_code == 404


def test_migrating_again_changes_nothing(stack):
    again = stack.migrate()

    assert again.returncode == 0, again.stderr
    assert "Created" not in again.stdout


def test_the_created_databases_store_full_unicode(stack):
    charsets = stack.in_mariadb(
        "SELECT DISTINCT default_character_set_name FROM information_schema.schemata "
        "WHERE schema_name LIKE %s",
        [f"{stack.name}%"],
    )

    assert charsets == [("utf8mb4",)]


class Sender(threading.Thread):
    """Sends messages to several URLs in turn. Repeats each at the next URL until it is accepted."""

    def __init__(self, urls: list[str], customer_id: int) -> None:
        super().__init__()
        self.urls = itertools.cycle(urls)
        self.customer_id = customer_id
        self.is_stopped = threading.Event()
        self.accepted: list[str] = []
        self.errors: collections.Counter[str] = collections.Counter()

    def run(self) -> None:
        with requests.Session() as session:
            while not self.is_stopped.is_set():
                uuid = str(uuid4())
                message = MESSAGE | {"customerId": self.customer_id, "uuid": uuid}
                while not self.is_accepted(session, message):
                    pass
                self.accepted.append(uuid)

    def is_accepted(self, session: requests.Session, message: dict[str, object]) -> bool:
        try:
            response = session.post(f"{next(self.urls)}/messages", json=message, timeout=30)
        except requests.ConnectionError as error:
            self.errors[type(error).__name__] += 1
            return False
        if response.status_code not in {200, 201}:
            self.errors[str(response.status_code)] += 1
        return response.ok


def test_a_rolling_restart_loses_no_message_of_a_retrying_sender(stack):
    names = ["web 2", "web 3"]
    senders = [
        Sender([stack.url(name) for name in names], customer) for customer in (51, 52, 53, 54)
    ]
    with ExitStack() as processes:
        old = {name: processes.enter_context(stack.start("web", name)) for name in names}
        for name in names:
            eventually(lambda: answers(stack.url(name, "/healthz")), "the web answers")  # noqa: B023
        for sender in senders:
            sender.start()
        for name in names:
            eventually(lambda: all(s.accepted for s in senders), "they are at work")
            old[name].send_signal(signal.SIGTERM)
            assert old[name].wait(PATIENCE) == 0
            processes.enter_context(stack.start("web", name))
            eventually(lambda: answers(stack.url(name, "/healthz")), "the new process answers")  # noqa: B023
        for sender in senders:
            sender.is_stopped.set()
            sender.join(PATIENCE)

        for sender in senders:
            url = stack.url("web 2", f"/stats?customerId={sender.customer_id}")
            assert requests.get(url, timeout=PATIENCE).json()[0]["count"] == len(sender.accepted)
            # Running requests were answered. Later requests could not connect.
            assert set(sender.errors) <= {"ConnectionError"}, sender.errors


def test_two_beats_and_two_workers_do_everything_once_while_one_worker_stops(stack):
    job_ids = range(201, 221)
    with (
        stack.start("beat", "beat 2"),
        stack.start("worker-repairjobs", "worker-repairjobs 2"),
    ):
        for job_id in job_ids:
            add_job(stack, job_id)
        eventually(lambda: "OPENED" in [statuses(stack)[i] for i in job_ids], "they are at work")

        stack.processes["worker-repairjobs"].send_signal(signal.SIGTERM)

        assert stack.processes["worker-repairjobs"].wait(PATIENCE) == 0
        eventually(lambda: {statuses(stack)[i] for i in job_ids} == {"OPENED"}, "all are opened")
    assert [stack.output().count(f"+447700900{i}") for i in job_ids] == [1] * len(job_ids)


@pytest.mark.parametrize("service", ["worker", "dataprovider", "beat"])
def test_sigterm_stops_a_process_cleanly(stack, service):
    process = stack.processes[service]

    process.send_signal(signal.SIGTERM)

    assert process.wait(PATIENCE) == 0
