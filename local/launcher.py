"""``make run``: a demo with web, worker and beat on this machine, until Ctrl-C."""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import django
import environ
import honcho.manager
from django.core.exceptions import ImproperlyConfigured
from honcho.compat import ProcessManager
from honcho.manager import Manager

from common.checks import reject_unsafe_settings

# A worker needs up to seven seconds to stop. By default, Honcho would kill it after five seconds.
honcho.manager.KILL_WAIT = 25


class ParentOnlyTermination(ProcessManager):  # type: ignore[misc]
    """Send SIGTERM to each process but not to its children, so that they finish their work."""

    def terminate(self, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


BIN = Path(sys.executable).parent
WEB_THREADS, WEB_BACKLOG = 16, 256
WORKERS = 4
START_SECONDS = 60


def main() -> int:
    base = Path(__file__).resolve().parent.parent
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    environ.Env.read_env(base / os.environ.get("ENV_FILE", ".env"))
    os.environ.setdefault("DEMO", "true")
    os.environ.setdefault("CLIENT_SANDBOX", "true")
    # The web server listens on 127.0.0.1 only.
    os.environ.setdefault("API_KEYS_REQUIRED", "false")
    os.environ.setdefault("RATE_LIMIT", "off")
    try:
        django.setup()
        reject_unsafe_settings()
    except ImproperlyConfigured as error:
        print(error, file=sys.stderr)
        return 1
    from django.conf import settings

    if not is_free(settings.PORT):
        print(
            f"Port {settings.PORT} is in use, perhaps by another `make run`. "
            "Stop it, or choose another port: make run PORT=8001",
            file=sys.stderr,
        )
        return 1
    prepare()
    greet()
    return run_processes(settings.PORT, settings.SERVICES)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def prepare() -> None:
    """Migrate the databases, and fill new databases with demo data."""
    from django.conf import settings
    from django.core.management import call_command

    call_command("migrate_databases", verbosity=0)
    if settings.BROKER_URL.startswith("filesystem:"):
        reset_embedded_broker()
    if settings.DEMO:
        call_command("seed")


def reset_embedded_broker() -> None:
    """Delete the messages of an earlier run and declare the queues.

    The queues are declared here, because two processes that declare a queue at the same time can
    read each other's incomplete file.
    """
    from django.conf import settings

    from config.celery import app
    from local.embedded import broker_options

    folder = settings.DATA_DIR / "broker"
    shutil.rmtree(folder, ignore_errors=True)
    broker_options(folder)
    with app.connection_for_write() as connection:
        for name in settings.SERVICES:
            app.amqp.queues[name].bind(connection.default_channel).declare()


def greet() -> None:
    from django.conf import settings

    url = f"http://127.0.0.1:{settings.PORT}"
    print(f"\n  Services         {url}/")
    if "dashboard" in settings.SERVICES:
        print(f"  Dashboard        {url}/dashboard?hotel_id=1")
    if "repairjobs" in settings.SERVICES:
        print(f"  Repair jobs      {url}/jobs")
    print(f"  API              {url}/docs")
    if settings.SERVES_ALL and settings.IS_EMBEDDED:
        print(f"  Admin            {url}/admin/   {admin_credentials()}")
    print(f"  Data             {settings.DATA_DIR}")
    print("  Stop             Ctrl-C\n", flush=True)


def admin_credentials() -> str:
    """Return name and password of the demo's administrator. Create the user if there is none."""
    from django.conf import settings
    from django.contrib.auth.models import User

    from local.embedded import load_or_create_secret

    password = load_or_create_secret(settings.DATA_DIR / "admin_password", bytes=12)
    if not User.objects.filter(is_superuser=True).exists():
        User.objects.create_superuser("admin", password=password)
    return f"admin / {password}"


def commands(port: int, services: list[str]) -> dict[str, str]:
    """Return the command line of each process."""
    celery = f"{BIN}/celery --quiet -A config"
    return {
        "web": f"{BIN}/granian --interface wsgi --host 127.0.0.1 --port {port} --workers 1"
        f" --blocking-threads {WEB_THREADS} --backpressure {WEB_BACKLOG} --no-ws --log-level error"
        " config.wsgi:application",
        # Threads, because a killed child process would leave the embedded queue locked.
        "worker": f"{celery} worker --pool threads --concurrency {WORKERS}"
        f" --queues {','.join(services)} --without-gossip --without-mingle --without-heartbeat",
        "beat": f"{celery} beat -S celery.beat.Scheduler",
    }


@contextmanager
def temporary_web_server(port: int, service: str) -> Iterator[None]:
    """Serve one service on 127.0.0.1 without API keys while the block runs.

    :raises RuntimeError: if the server does not start.
    """
    granian = shlex.split(commands(port, [service])["web"])
    variables = {"SERVICES": service, "API_KEYS_REQUIRED": "false", "RATE_LIMIT": "off"}
    with subprocess.Popen(granian, env=os.environ | variables) as web:  # noqa: S603
        try:
            deadline = time.monotonic() + START_SECONDS
            while is_free(port):
                if web.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{service} did not start on port {port}")
                time.sleep(0.05)
            yield
        finally:
            web.terminate()


def run_processes(port: int, services: list[str]) -> int:
    manager = Manager()
    manager._procmgr = ParentOnlyTermination()
    for name, command in commands(port, services).items():
        manager.add_process(name, f"exec {command}")
    launcher = os.getpid()

    def hang_up(signum: int, frame: Any) -> None:
        # The terminal was closed. Forked children inherit this handler but must not act on it.
        if os.getpid() == launcher:
            os.kill(launcher, signal.SIGTERM)

    signal.signal(signal.SIGHUP, hang_up)
    manager.loop()
    is_stopped_by_hand = manager.returncode in {130, 143}
    return 0 if is_stopped_by_hand else int(manager.returncode or 0)
