"""A real mongod for tests: the one at MONGO_URL, otherwise one started from its wheel."""

import os
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymongo
import pytest
from pymongo.errors import PyMongoError

from tests.processes import eventually, free_port, not_tested

BINARY = Path(sysconfig.get_path("purelib")) / "fiftyone" / "db" / "bin" / "mongod"
SMALL = ["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "16"]


class NoMongod(Exception):
    """mongod is not installed, or did not start."""


class Mongod:
    """A replica set of one server on a free port; its data in ``folder`` survives a restart."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"mongodb://127.0.0.1:{self.port}/?directConnection=true"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        address = ["--bind_ip", "127.0.0.1", "--port", str(self.port), "--nounixsocket"]
        storage = ["--dbpath", self.folder, "--replSet", "tests", *SMALL]
        log = Path(self.folder, "mongod.log")
        with log.open("ab") as output:
            try:
                self.process = subprocess.Popen(
                    [BINARY, *address, *storage],
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise NoMongod(f"{BINARY}: {error}") from error
        with pymongo.MongoClient(self.url, serverSelectionTimeoutMS=500) as client:
            eventually(lambda: self._is_primary(client.admin), "mongod is a primary")

    def _is_primary(self, admin) -> bool:
        if self.process.poll() is not None:
            log = Path(self.folder, "mongod.log").read_bytes()[-500:].decode(errors="replace")
            raise NoMongod(f"mongod ended with {self.process.returncode}: {log}")
        try:
            if admin.command("hello")["isWritablePrimary"]:
                return True
            member = {"_id": 0, "host": f"127.0.0.1:{self.port}"}
            admin.command("replSetInitiate", {"_id": "tests", "members": [member]})
        except PyMongoError:
            pass  # mongod does not listen yet, or is not elected yet
        return False

    def kill(self) -> None:
        """Kill the server, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@contextmanager
def running_mongod() -> Iterator[Mongod]:
    """Run a mongod in this block; then delete its data."""
    with tempfile.TemporaryDirectory(prefix="mongod-") as folder:
        server = Mongod(folder)
        try:
            server.start()
            yield server
        finally:
            server.kill()


@pytest.fixture(scope="session")
def mongo_server_url() -> Iterator[str]:
    """The URL of a server. Without a server, tests are skipped with a warning, or fail in CI."""
    if url := os.environ.get("MONGO_URL"):
        yield url
        return
    try:
        with running_mongod() as server:
            yield server.url
    except NoMongod as error:
        not_tested(f"MongoDB: {error}")


@pytest.fixture(scope="session")
def mongo_url(mongo_server_url: str) -> Iterator[str]:
    """The URL of a database for this xdist worker alone, dropped at the end."""
    name = f"tests_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    address, question_mark, options = mongo_server_url.partition("?")
    scheme, _, hosts = address.partition("://")
    url = f"{scheme}://{hosts.partition('/')[0]}/{name}{question_mark}{options}"
    with pymongo.MongoClient(url) as client:
        client.drop_database(name)
        yield url
        client.drop_database(name)
