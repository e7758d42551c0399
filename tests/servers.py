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
    """None answers, and none could be started."""


class Server(ABC):
    """A server of our own."""

    variable: str
    standard: str
    stop_signal = signal.SIGTERM
    # Who it runs as, where that matters.
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
    def ask(url: str) -> None:
        """Do nothing, if a server answers there and lets us in; else raise its client's error."""

    @abstractmethod
    def prepare(self) -> None:
        """Make the folder of its data."""

    @abstractmethod
    def command(self) -> list[str]: ...

    def start(self) -> None:
        """Start it, the first time or again; it answers when this returns."""
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
            raise NoServer(f"{type(self).__name__} ended: {self.last_words()}")
        return why_not(type(self), self.url) is None

    def last_words(self) -> str:
        return (self.folder / "log").read_bytes()[-500:].decode(errors="replace")

    def stop(self) -> None:
        """End it as its service manager would, connections or not."""
        if self.process is not None:
            self.process.send_signal(self.stop_signal)
            self.process.wait(60)
            self.process = None

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def run(self, *command: str) -> None:
        """Run a command that makes its folder."""
        done = subprocess.run(
            command, user=self.user, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode:
            raise NoServer(f"{command[0]}: {done.stdout[-500:]}")


class Postgres(Server):
    variable = "POSTGRES_URL"
    standard = "postgres://postgres@127.0.0.1:5432"
    stop_signal = signal.SIGINT  # at once: SIGTERM waits until the last client has gone
    # It refuses to be run by root.
    user = "postgres" if os.getuid() == 0 else None

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}"

    @staticmethod
    def ask(url: str) -> None:
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
        """Debian keeps them off the PATH, by version."""
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        return str(found[-1]) if found else _installed(name)


class MariaDB(Server):
    """Root may do everything, without a password."""

    variable = "MYSQL_URL"
    standard = "mysql://root@127.0.0.1:3306"

    @property
    def url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}"

    @staticmethod
    def ask(url: str) -> None:
        pymysql.connect(**place_of(url), connect_timeout=3).close()

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
        return pymysql.connect(**place_of(self.url), database=database, autocommit=True)

    def _as_root(self) -> list[str]:
        return ["--user=root"] if os.getuid() == 0 else []


class Redis(Server):
    variable = "REDIS_URL"
    standard = "redis://127.0.0.1:6379"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @staticmethod
    def ask(url: str) -> None:
        with redis.Redis.from_url(url, socket_connect_timeout=3) as client:
            client.ping()

    def prepare(self) -> None:
        """It keeps nothing."""

    def command(self) -> list[str]:
        place = ["--port", str(self.port), "--bind", "127.0.0.1"]
        return [_installed("redis-server"), *place, "--save", ""]


def _installed(program: str) -> str:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    if found := shutil.which(program, path=path):
        return found
    raise NoServer(f"{program} is not installed")


def place_of(url: str) -> dict[str, Any]:
    """PyMySQL's words for a URL."""
    place = environ.Env.db_url_config(f"{url}/mysql")
    port = int(place["PORT"] or 3306)
    return {
        "host": place["HOST"],
        "port": port,
        "user": place["USER"],
        "password": place["PASSWORD"],
    }


def why_not(kind: type[Server], url: str) -> Exception | None:
    """What keeps us from using the server there; None if nothing does."""
    try:
        kind.ask(url)
    except (psycopg2.Error, pymysql.MySQLError, redis.RedisError) as error:
        return error
    return None


def find(kind: type[Server]) -> str:
    """Return the URL of a running server of this kind.

    It is the server that the environment names; else a new one, if its program is installed; else
    the one on the standard port. A new server ends with this process, and the processes that this
    process starts find its URL in the environment.

    :raises NoServer:
    """
    if named := os.environ.get(kind.variable):
        if error := why_not(kind, named):
            raise NoServer(f"{kind.variable}: {error}") from error
        return named
    until_we_end = ExitStack()
    try:
        url = until_we_end.enter_context(our_own(kind)).url
    except NoServer:
        if why_not(kind, kind.standard):
            raise
        url = kind.standard
    atexit.register(until_we_end.close)
    os.environ[kind.variable] = url
    return url


@contextmanager
def on_its_own(kind: type[Server]) -> Iterator[str]:
    """The URL of a server for one test alone, unless the environment names the one to use.

    :raises NoServer:
    """
    if kind.variable in os.environ:
        yield find(kind)
        return
    with our_own(kind) as server:
        yield server.url


@contextmanager
def our_own(kind: type[Server]) -> Iterator[Server]:
    """A server that is gone with its data at the end.

    :raises NoServer:
    """
    # Not in pytest's folders, which are closed to the user that PostgreSQL runs as.
    with tempfile.TemporaryDirectory(prefix=f"{kind.__name__.lower()}-") as folder:
        server = kind(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()
