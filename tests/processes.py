"""Real processes for tests: started on free ports, waited for, and never left behind."""

import os
import secrets
import signal
import socket
import subprocess
import sys
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
# Until a test is sure that something does not come: whatever a busy machine needs is less.
PATIENCE = 120.0
# Below those that systems give to connections, and to servers that take any.
PORTS = range(20_000, 32_000)
_given: set[int] = set()


def free_port() -> int:
    """A port for a server that starts later, or again, and that nobody gets by chance meanwhile."""
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
    """What ``check`` answers as soon as that is true; other processes work meanwhile."""
    deadline = time.monotonic() + patience
    while True:
        if found := check():
            return found
        assert time.monotonic() < deadline, f"not within {patience:.0f} seconds: {what}"
        time.sleep(0.05)


def not_tested(what: str, *, is_needed: bool = True) -> NoReturn:
    """Leave out what cannot be tested here: loudly on a laptop, a failure where CI needs it."""
    reason = f"NOT TESTED: {what}"
    if is_needed and os.environ.get("CI") == "true":
        pytest.fail(reason)
    warnings.warn(reason, stacklevel=2)
    pytest.skip(reason)


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """Ours, with the project's own settings replaced by these."""
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


@contextmanager
def running(env: dict[str, str], *command: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a process; it and all that it started are gone at the end."""
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
    """The processes that have this in their environment, whoever started them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if variable.encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
    return found


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False
