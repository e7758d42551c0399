"""Real processes for tests: started on free ports, waited for, and ended with the test."""

import atexit
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import pytest
import requests

ROOT = Path(__file__).resolve().parent.parent
# Seconds until a test gives up waiting; more than a busy machine needs.
PATIENCE = 120.0
POLL_SECONDS = 0.05
# Below the ports that the system gives to connections.
PORTS = range(20_000, 32_000)
_given: set[int] = set()


def _run_folder() -> Path:
    """Return the folder of this test run, which all workers of pytest-xdist share.

    The process that starts the run makes it and removes it.
    """
    if name := os.environ.get("TEST_RUN_FOLDER"):
        return Path(name)
    folder = Path(tempfile.mkdtemp(prefix="tests-"))
    os.environ["TEST_RUN_FOLDER"] = str(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


RUN_FOLDER = _run_folder()
# Part of the names of this run's databases, so that two runs can use one server.
RUN = RUN_FOLDER.name.removeprefix("tests-")


def free_port() -> int:
    """Return a port for a server that starts later or again; no other test gets the same one."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    while True:
        port = secrets.choice(PORTS[worker::workers])
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def eventually(check: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Call ``check`` until its result is true, and return that result."""
    deadline = time.monotonic() + patience
    while True:
        if result := check():
            return result
        assert time.monotonic() < deadline, f"not within {patience:.0f} seconds: {what}"
        time.sleep(POLL_SECONDS)


def not_tested(what: str, *, is_needed: bool = True) -> NoReturn:
    """Skip the test with a warning; fail it instead if CI=true and the test is needed there."""
    reason = f"NOT TESTED: {what}"
    if is_needed and os.environ.get("CI") == "true":
        pytest.fail(reason)
    warnings.warn(reason, stacklevel=2)
    pytest.skip(reason)


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """Return environment variables for a process of the project with only these settings."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return inherited | {"DATA_DIR": str(folder), "ENV_FILE": os.devnull} | settings


def manage(
    env: dict[str, str], *arguments: str, **options: Any
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=env,
        text=True,
        capture_output=True,
        timeout=PATIENCE,
    )


def copy_migrated_databases(env: dict[str, str]) -> None:
    """Put migrated, empty SQLite databases of all services into the DATA_DIR of a new process.

    The first call in a test run migrates them, which takes seconds; all calls copy the files.
    """
    template = RUN_FOLDER / "migrated"
    with (RUN_FOLDER / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers may come at the same time
        if not template.exists():
            draft = RUN_FOLDER / "migrating"
            migrated = manage(environment(draft), "migrate_databases")
            assert migrated.returncode == 0, migrated.stderr
            draft.rename(template)
    for database in template.glob("*.sqlite3"):
        shutil.copy(database, env["DATA_DIR"])


@contextmanager
def running(env: dict[str, str], *command: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command until the block ends; then end it and every process that it started."""
    mark = f"STARTED_BY_TEST={uuid4()}"
    with (Path(env["DATA_DIR"]) / "output.log").open("a") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=env | dict([mark.split("=")]),
            text=True,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pid in processes_with(mark):
            os.kill(pid, signal.SIGKILL)


def processes_with(variable: str) -> list[int]:
    """Return the ids of all processes that have this ``NAME=value`` in their environment."""
    pids = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if variable.encode() in (entry / "environ").read_bytes().split(b"\0"):
                pids.append(int(entry.name))
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
    return pids


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False
