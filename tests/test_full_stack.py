"""The services of docker-compose.yml by their very commands, as processes, on real servers."""

import os
import secrets
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psycopg2
import pymysql
import pytest
import requests

from tests.compose import command_of, environment_of, health_command_of
from tests.processes import ROOT, answers, environment, eventually, free_port, running
from tests.repairjobs.mongod import NoMongod, running_mongod
from tests.servers import MariaDB, NoServer, Postgres, Redis, find, place_of

pytestmark = pytest.mark.processes

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
JOB = ["Repair", "NEW", "Robin", "Example", "AB1 2CD", "07700 900123", "P-1", "Kettle"]
# What .env may set, and the file leaves to it.
FASTER = {"API_KEYS_REQUIRED": "false", "INGEST_SECONDS": "1", "COLLECT_SECONDS": "1"}


class Stack:
    """The containers' commands and environment, with this machine's addresses for theirs."""

    def __init__(self, folder: Path, postgres: str, mariadb: str, mongo: str, redis: str) -> None:
        self.folder = folder
        self.name = f"test_{secrets.token_hex(4)}"
        self.mariadb, self.postgres = mariadb, postgres
        self.ports = {"web": free_port(), "dataprovider": free_port()}
        self.addresses = {
            "postgres://app:@postgres/": f"{postgres}/{self.name}_",
            "mysql://app:@mariadb/": f"{mariadb}/{self.name}_",
            "mongodb://mongo/repairjobs?replicaSet=rs0": mongo.replace("/?", f"/{self.name}?"),
            "redis://redis": redis,
            "http://dataprovider:8000": self.url("dataprovider"),
        }

    def url(self, service: str, path: str = "") -> str:
        return f"http://127.0.0.1:{self.ports[service]}{path}"

    def env(self, service: str, folder: str | None = None) -> dict[str, str]:
        """What the file sets, here; each container has a folder of its own."""
        said = environment_of(service, {"SECRET_KEY": "of this test alone"})
        for name, value in said.items():
            for theirs, here in self.addresses.items():
                value = value.replace(theirs, here)
            said[name] = value
        written = self.folder / (folder or service)
        written.mkdir(exist_ok=True)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return environment(written) | said | FASTER | {"DATA_DIR": str(written), "PATH": path}

    def here(self, service: str, words: list[str]) -> list[str]:
        """A command on the port that is the service's on this machine."""
        port = str(self.ports.get(service, 8000))
        return [word.replace("8000", port) for word in words]

    def run(self, service: str) -> subprocess.CompletedProcess[str]:
        return self._run(service, command_of(service))

    def is_healthy(self, service: str) -> bool:
        return self._run(service, health_command_of(service)).returncode == 0

    def _run(self, service: str, words: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.here(service, words),
            cwd=ROOT,
            env=self.env(service),
            capture_output=True,
            text=True,
            timeout=60,
        )

    def start(self, service: str, folder: str | None = None):
        return running(self.env(service, folder), *self.here(service, command_of(service)))

    def output(self, service: str) -> str:
        return (self.folder / service / "output.log").read_text()

    def in_mariadb(self, statement: str, values: list[object] | None = None) -> list[tuple]:
        place = place_of(self.mariadb)
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


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack")
    with ExitStack() as servers:
        try:
            mongod = servers.enter_context(running_mongod())
            redis = Redis(tmp_path_factory.mktemp("redis"))
            redis.start()
            servers.callback(redis.stop)
            stack = Stack(folder, find(Postgres), find(MariaDB), mongod.url, f"{redis.url}/0")
        except (NoServer, NoMongod) as error:
            reason = f"NOT TESTED, the full stack: {error}"
            pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
        servers.callback(stack.drop)
        migrated = stack.run("migrate")
        assert migrated.returncode == 0, migrated.stderr
        for service in ("web", "dataprovider", "worker", "worker-repairjobs", "beat"):
            servers.enter_context(stack.start(service))
        for service in ("web", "dataprovider"):
            eventually(lambda: answers(stack.url(service, "/readyz")), f"{service} is ready")  # noqa: B023
        yield stack


def test_a_message_is_counted(stack):
    assert requests.post(stack.url("web", "/messages"), json=MESSAGE, timeout=5).status_code == 201

    totals = requests.get(stack.url("web", "/stats"), timeout=5).json()

    assert totals == [{"customerId": 1, "type": "A", "count": 1, "totalAmount": "0.012"}]


def test_an_event_comes_to_the_dashboard_from_the_other_process(stack):
    sent = requests.post(stack.url("dataprovider", "/events"), json=EVENT, timeout=5)
    assert sent.status_code == 201

    asked = stack.url("web", "/dashboard?hotel_id=7&year=2020&period=year")

    eventually(
        lambda: requests.get(asked, timeout=5).json()["total"]["bookings"] == 1,
        "worker and beat bring the event",
    )


def test_a_row_of_the_clients_is_opened_and_its_customer_texted(stack):
    client = f"{stack.name}_client"
    stack.in_mariadb(
        f"INSERT INTO {client}.Jobs VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)", [123, *JOB]
    )

    def status():
        return stack.in_mariadb(f"SELECT Job_status FROM {client}.Jobs WHERE Job_id = 123")

    eventually(lambda: status() == [("OPENED",)], "the job is opened in the client's table")
    asked = stack.url("web", "/jobs/123")
    eventually(
        lambda: requests.get(asked, timeout=5).json().get("job_status") == "OPENED",
        "MongoDB's document says so",
    )
    assert stack.output("worker-repairjobs").count("+447700900123") == 1


def test_every_container_is_healthy(stack):
    for service in ("web", "dataprovider", "worker", "worker-repairjobs", "beat"):
        eventually(lambda: stack.is_healthy(service), f"{service} is healthy")  # noqa: B023


def test_the_data_provider_carries_nothing_else(stack):
    for path in ("/stats", "/jobs", "/dashboard", "/admin/"):
        assert requests.get(stack.url("dataprovider", path), timeout=5).status_code == 404


def test_nobody_has_made_up_jobs_where_the_client_is_on_a_server(stack):
    assert requests.get(stack.url("web", "/client/jobs"), timeout=5).status_code == 404


def test_migrating_again_changes_nothing(stack):
    again = stack.run("migrate")

    assert again.returncode == 0, again.stderr
    assert "Made" not in again.stdout


def test_texts_of_every_language_fit_in_the_made_databases(stack):
    made = stack.in_mariadb(
        "SELECT DISTINCT default_character_set_name FROM information_schema.schemata "
        "WHERE schema_name LIKE %s",
        [f"{stack.name}%"],
    )

    assert made == [("utf8mb4",)]


@pytest.mark.parametrize("service", ["worker", "web", "beat"])
def test_sigterm_ends_a_process_by_itself(stack, service):
    """A second one beside the first, as a new version beside the old."""
    stack.ports["web"] = free_port()
    with stack.start(service, folder=f"second {service}") as process:
        if service == "web":
            eventually(lambda: answers(stack.url("web", "/healthz")), "it answers")
        else:
            eventually(lambda: handles_sigterm(process.pid), "it minds signals")

        process.send_signal(signal.SIGTERM)

        assert process.wait(30) == 0


def handles_sigterm(pid: int) -> bool:
    """Whether the process has a handler of its own by now, as Linux tells."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught & 1 << (signal.SIGTERM - 1))
