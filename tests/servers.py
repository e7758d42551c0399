"""Real servers for tests: PostgreSQL, MariaDB and Redis.

Tests use the server that the environment names. Without one they start the installed program on a
free port of 127.0.0.1, with its data in a new folder; a test can stop it and start it again.
"""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import environ
import psycopg2
import pymysql
import redis

from tests.processes import eventually, free_port

# Tests kill servers, but they never cut the power: what a server wrote survives without fsync.
FAST_POSTGRES = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
FAST_MARIADB = ["--innodb-flush-log-at-trx-commit=2", "--innodb-flush-method=nosync"]
# Several MariaDB servers run at the same time.
SMALL_MARIADB = [
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=16M",
    "--key-buffer-size=1M",
]


class NoServer(Exception):
    """No server answers, and none could be started."""


class Server(ABC):
    """A server that tests start, stop and start again."""

    variable: str
    standard_url: str
    stop_signal = signal.SIGTERM
    # The system user of its process; None for the user of the tests.
    user: str | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str: ...

    @staticmethod
    @abstractmethod
    def check_connection(url: str) -> None:
        """Open and close a connection; raise the client library's error if that fails."""

    @abstractmethod
    def prepare(self) -> None:
        """Create the data folder."""

    @abstractmethod
    def command(self) -> list[str]: ...

    def start(self) -> None:
        """Start the server and wait until it answers."""
        if not (self.folder / "prepared").exists():
            self.prepare()
            (self.folder / "prepared").touch()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdout=log,
                stderr=subprocess.STDOUT,
                user=self.user,
                start_new_session=True,
            )
        eventually(self.is_up, f"{type(self).__name__} answers")

    def is_up(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            raise NoServer(f"{type(self).__name__} ended: {self.log_tail()}")
        return connection_error(type(self), self.url) is None

    def log_tail(self) -> str:
        return (self.folder / "log").read_bytes()[-500:].decode(errors="replace")

    def stop(self) -> None:
        """End the server as its service manager would, even with open connections."""
        if self.process is not None:
            self.process.send_signal(self.stop_signal)
            self.process.wait(60)
            self.process = None

    def kill(self) -> None:
        """End the server with SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def run(self, *command: str) -> None:
        """Run a command that prepares the data folder."""
        result = subprocess.run(
            command, user=self.user, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if result.returncode:
            raise NoServer(f"{command[0]}: {result.stdout[-500:]}")


class Postgres(Server):
    variable = "POSTGRES_URL"
    standard_url = "postgres://postgres@127.0.0.1:5432"
    stop_signal = signal.SIGINT  # SIGTERM would wait for the last client to disconnect
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.getuid() == 0 else None

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}"

    @staticmethod
    def check_connection(url: str) -> None:
        psycopg2.connect(f"{url}/postgres", connect_timeout=3).close()

    def prepare(self) -> None:
        if self.user:
            shutil.chown(self.folder, self.user)
        data = str(self.folder / "data")
        self.run(self._program("initdb"), "-N", "-A", "trust", "-U", "postgres", "-D", data)

    def command(self) -> list[str]:
        place = ["-D", str(self.folder / "data"), "-k", str(self.folder)]
        address = ["-h", "127.0.0.1", "-p", str(self.port)]
        return [self._program("postgres"), *place, *address, *FAST_POSTGRES]

    def _program(self, name: str) -> str:
        """Return the path of a PostgreSQL program; Debian keeps them in a folder per version."""
        versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        return str(versions[-1]) if versions else _installed(name)


class MariaDB(Server):
    """MariaDB, where root needs no password."""

    variable = "MYSQL_URL"
    standard_url = "mysql://root@127.0.0.1:3306"

    @property
    def url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}"

    @staticmethod
    def check_connection(url: str) -> None:
        pymysql.connect(**connection_parameters(url), connect_timeout=3).close()

    def prepare(self) -> None:
        self.run(
            _installed("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            *self._as_root(),
        )

    def command(self) -> list[str]:
        place = [f"--datadir={self.folder / 'data'}", f"--socket={self.folder / 'socket'}"]
        listen = ["--bind-address=127.0.0.1", f"--port={self.port}"]
        program = [_installed("mariadbd"), "--no-defaults", *self._as_root()]
        return [*program, *place, *listen, *FAST_MARIADB, *SMALL_MARIADB]

    def connected(self, database: str | None = None) -> "pymysql.Connection[Any]":
        return pymysql.connect(
            **connection_parameters(self.url), database=database, autocommit=True
        )

    def _as_root(self) -> list[str]:
        return ["--user=root"] if os.getuid() == 0 else []


class Redis(Server):
    variable = "REDIS_URL"
    standard_url = "redis://127.0.0.1:6379"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @staticmethod
    def check_connection(url: str) -> None:
        with redis.Redis.from_url(url, socket_connect_timeout=3) as client:
            client.ping()

    def prepare(self) -> None:
        """Do nothing: this Redis stores no files."""

    def command(self) -> list[str]:
        place = ["--port", str(self.port), "--bind", "127.0.0.1"]
        return [_installed("redis-server"), *place, "--save", ""]


def _installed(program: str) -> str:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    if executable := shutil.which(program, path=path):
        return executable
    raise NoServer(f"{program} is not installed")


def connection_parameters(url: str) -> dict[str, Any]:
    """Return PyMySQL's arguments for a URL."""
    config = environ.Env.db_url_config(f"{url}/mysql")
    return {
        "host": config["HOST"],
        "port": int(config["PORT"] or 3306),
        "user": config["USER"],
        "password": config["PASSWORD"],
    }


def connection_error(kind: type[Server], url: str) -> Exception | None:
    """Return why no connection to this URL can be made; None if one can."""
    try:
        kind.check_connection(url)
    except (psycopg2.Error, pymysql.MySQLError, redis.RedisError) as error:
        return error
    return None


def server_url(kind: type[Server]) -> str:
    """Return the URL of a running server of this kind.

    It is the server that the environment names; else a new one, if its program is installed; else
    the one on the standard port. A new server ends with this process, and the processes that this
    process starts find its URL in the environment.

    :raises NoServer:
    """
    if named := os.environ.get(kind.variable):
        if error := connection_error(kind, named):
            raise NoServer(f"{kind.variable}: {error}") from error
        return named
    at_exit = ExitStack()
    try:
        url = at_exit.enter_context(new_server(kind)).url
    except NoServer:
        if connection_error(kind, kind.standard_url):
            raise
        url = kind.standard_url
    atexit.register(at_exit.close)
    os.environ[kind.variable] = url
    return url


@contextmanager
def server_for_one_test(kind: type[Server]) -> Iterator[str]:
    """Start a server for one test and return its URL, unless the environment names a server.

    :raises NoServer:
    """
    if kind.variable in os.environ:
        yield server_url(kind)
        return
    with new_server(kind) as server:
        yield server.url


@contextmanager
def new_server(kind: type[Server]) -> Iterator[Server]:
    """Start a server; stop it and delete its data at the end of the block.

    :raises NoServer:
    """
    # The system user of PostgreSQL may not read pytest's folders.
    with tempfile.TemporaryDirectory(prefix=f"{kind.__name__.lower()}-") as folder:
        server = kind(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()
