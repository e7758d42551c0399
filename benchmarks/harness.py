"""Shared by all benchmarks: new databases, a web server, ``wrk``, measurements and tables.

Needs a PostgreSQL server (``BENCH_POSTGRES_URL``, else 127.0.0.1:5432 without a password) and
``wrk``, for the repair jobs a MariaDB server (``MYSQL_URL``, else 127.0.0.1:3306, root without a
password). Each run deletes its databases, folders and processes at its end.
"""

import getpass
import os
import platform
import re
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

import psycopg2
import pymysql

from local.launcher import WEB_BACKLOG, WEB_THREADS

BASE = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PROJECT = "config.wsgi:application"
Result = TypeVar("Result")
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3}


# --- Databases -------------------------------------------------------------------------------

MYSQL_URL = os.environ.get("MYSQL_URL", "mysql://root@127.0.0.1:3306")
ON_MARIADB = {"repairjobs", "client"}


@cache
def postgres_url() -> str:
    """Return the URL of the PostgreSQL server's maintenance database."""
    configured = os.environ.get("BENCH_POSTGRES_URL")
    users = dict.fromkeys([getpass.getuser(), "postgres"])
    urls = (
        [configured]
        if configured
        else [f"postgres://{user}@127.0.0.1:5432/postgres" for user in users]
    )
    for url in urls:
        with suppress(psycopg2.OperationalError):
            psycopg2.connect(url).close()
            return url
    sys.exit(f"No PostgreSQL server at {' or '.join(urls)}. Set BENCH_POSTGRES_URL.")


def mariadb(url: str = MYSQL_URL) -> Any:
    """Open a session on the MariaDB server with autocommit."""
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=parts.username,
        password=parts.password or "",
        database=parts.path.strip("/") or None,
        autocommit=True,
    )


def _administer(alias: str, statement: str) -> None:
    if alias in ON_MARIADB:
        connection = mariadb()
    else:
        connection = psycopg2.connect(postgres_url())
        connection.autocommit = True
    connection.cursor().execute(statement)
    connection.close()


@dataclass
class Databases:
    """The databases of a run: ``urls`` by alias, and ``env`` for the project's processes."""

    urls: dict[str, str]
    env: dict[str, str]

    @contextmanager
    def session(self, alias: str) -> Iterator[Any]:
        """Open a cursor on a PostgreSQL database. Commit at the end."""
        connection = psycopg2.connect(self.urls[alias])
        with connection, connection.cursor() as cursor:
            yield cursor
        connection.close()

    def settle(self, alias: str, *tables: str) -> None:
        """Vacuum and checkpoint now, so that the measurement does not include it."""
        connection = psycopg2.connect(self.urls[alias])
        connection.autocommit = True
        for table in tables:
            connection.cursor().execute(f"VACUUM (ANALYZE) {table}")
        connection.cursor().execute("CHECKPOINT")
        connection.close()


@contextmanager
def scratch_databases(*aliases: str, **settings: str) -> Iterator[Databases]:
    """Create and migrate the project's databases: these on servers, all others as SQLite files.

    ``settings`` are added to the environment of the processes (``SERVICES="dashboard"``).
    """
    suffix = secrets.token_hex(4)
    names = {alias: f"bench_{alias}_{suffix}" for alias in aliases}
    urls = {alias: _url(alias, name) for alias, name in names.items()}
    folder = tempfile.mkdtemp(prefix="bench-")
    env = {
        "DATA_DIR": folder,
        "ENV_FILE": os.devnull,
        "SECRET_KEY": secrets.token_hex(32),
        "DEMO": "false",
        "API_KEYS_REQUIRED": "false",
        "RATE_LIMIT": "off",
        **{
            "DATABASE_URL" if alias == "default" else f"{alias.upper()}_DATABASE_URL": url
            for alias, url in urls.items()
        },
        **settings,
    }
    try:
        for alias, name in names.items():
            _administer(alias, f"CREATE DATABASE {name}")
        run_python("manage.py", "migrate_databases", "--verbosity", "0", env=env)
        yield Databases(urls, env)
    finally:
        for alias, name in names.items():
            force = "" if alias in ON_MARIADB else "WITH (FORCE)"
            _administer(alias, f"DROP DATABASE IF EXISTS {name} {force}")
        shutil.rmtree(folder, ignore_errors=True)


def _url(alias: str, name: str) -> str:
    server = MYSQL_URL if alias in ON_MARIADB else postgres_url()
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))


def run_python(*arguments: str, env: Mapping[str, str]) -> str:
    """Run a Python program of the project in a new process. Return its standard output."""
    process = subprocess.run(
        [sys.executable, *arguments],
        cwd=BASE,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return process.stdout


# --- Web server --------------------------------------------------------------------------------


@dataclass
class Server:
    url: str
    pid: int

    def memory(self) -> float:
        """Return the memory of the server's processes in MiB."""
        return sum(_resident_kib(pid) for pid in _process_tree(self.pid)) / 1024


@contextmanager
def serving(
    env: Mapping[str, str], *, app: str = PROJECT, probe: str = "/healthz"
) -> Iterator[Server]:
    """Serve the app with granian and the flags of ``make run`` on a free port."""
    port = free_port()
    server = Server(f"http://127.0.0.1:{port}", 0)
    command = (
        f"{BIN}/granian --interface wsgi --host 127.0.0.1 --port {port} --workers 1"
        f" --blocking-threads {WEB_THREADS} --backpressure {WEB_BACKLOG} --no-ws --log-level error"
        f" {app}"
    )
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command.split(),
            cwd=BASE,
            env={**os.environ, **env, "PORT": str(port)},
            stdout=log,
            stderr=log,
        )
        server.pid = process.pid
        try:
            _wait_for(server.url + probe, process)
            yield server
        except Exception:
            log.seek(0)
            print(log.read().decode()[-4000:], file=sys.stderr)
            raise
        finally:
            _stop(process)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(url: str, process: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(URLError, ConnectionError), urlopen(url, timeout=5):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{url} does not answer")


def _stop(process: subprocess.Popen[Any]) -> None:
    pids = _process_tree(process.pid)
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def _process_tree(pid: int) -> list[int]:
    """Return the ids of a process and of its children."""
    with suppress(FileNotFoundError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]
    return [pid]


def _resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    match = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(match[1]) if match else 0


# --- Load --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Load:
    """The results of ``wrk``."""

    per_second: float
    p50: float  # milliseconds
    p99: float
    not_ok: int  # responses with status 400 and above


def wrk(
    url: str,
    *,
    seconds: int = 5,
    connections: int = 32,
    headers: Sequence[str] = (),
    script: str | None = None,
) -> Load:
    """Send requests to a URL at full speed, by default GET. ``script`` is a Lua script of wrk."""
    program = shutil.which("wrk")
    if program is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as lua:
        lua.write(script or "")
        lua.flush()
        command = [program, "--threads", "1", "--connections", str(connections), "--latency"]
        command += ["--duration", f"{seconds}s", *(f"--header={header}" for header in headers)]
        command += ["--script", lua.name] if script else []
        printed = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
    not_ok = re.search(r"Non-2xx or 3xx responses: (\d+)", printed)
    return Load(
        per_second=float(re.search(r"Requests/sec:\s+([\d.]+)", printed)[1]),
        p50=_milliseconds(printed, 50),
        p99=_milliseconds(printed, 99),
        not_ok=int(not_ok[1]) if not_ok else 0,
    )


def _milliseconds(printed: str, percentile: int) -> float:
    number, unit = re.search(rf"\s{percentile}%\s+([\d.]+)(us|ms|s|m)\b", printed).groups()
    return float(number) * UNITS[unit]


# --- Measurements and tables -----------------------------------------------------------------


def interleaved(
    sides: Mapping[str, Callable[[], Result]], *, rounds: int
) -> dict[str, list[Result]]:
    """Measure every side once per round, so that a busy moment of the machine affects all sides."""
    results: dict[str, list[Result]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, measure in sides.items():
            results[name].append(measure())
    return results


def median_load(loads: Sequence[Load]) -> Load:
    """Return the load with the median requests per second, and the error count of all loads."""
    median = sorted(loads, key=lambda load: load.per_second)[len(loads) // 2]
    not_ok = sum(load.not_ok for load in loads)
    return Load(median.per_second, median.p50, median.p99, not_ok)


def median_loads(
    sides: Mapping[str, Callable[[], Load]], *, rounds: int, warm_up: bool = False
) -> dict[str, Load]:
    """Measure the sides interleaved and return their median loads. Any error response fails."""
    if warm_up:
        for measure in sides.values():
            measure()  # the first measurement is the slowest
    results = interleaved(sides, rounds=rounds)
    medians = {name: median_load(loads) for name, loads in results.items()}
    assert not any(load.not_ok for load in medians.values()), medians
    return medians


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def format_number(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def times(one: float, other: float) -> str:
    return f"{format_number(one / other)}×"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a Markdown table. All columns except the first are aligned to the right."""
    cells = [[str(cell) for cell in row] for row in [columns, *rows]]
    first, *others = (max(map(len, column)) for column in zip(*cells, strict=True))
    lines = [
        [row[0].ljust(first), *(cell.rjust(w) for cell, w in zip(row[1:], others, strict=True))]
        for row in cells
    ]
    lines.insert(1, ["-" * first, *("-" * (width - 1) + ":" for width in others)])
    return "\n".join([f"### {title}", "", *(f"| {' | '.join(line)} |" for line in lines), ""])


def table_of_loads(
    title: str, loads: Mapping[str, Load], *, base: str, ratio: str, unit: str = "requests"
) -> str:
    """Return a table with a row per load, and how many times faster the side ``base`` is."""
    own = loads[base].per_second
    return table(
        title,
        ["", f"{unit}/s", "p50 ms", "p99 ms", ratio],
        [
            (
                name,
                format_number(load.per_second),
                format_number(load.p50),
                format_number(load.p99),
                times(own, load.per_second),
            )
            for name, load in loads.items()
        ],
    )


def machine() -> str:
    """Describe the machine in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    connection = psycopg2.connect(postgres_url())
    version = connection.server_version // 10_000
    connection.close()
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB of memory, Linux, "
        f"Python {platform.python_version()}, PostgreSQL {version} on the same machine"
    )
