"""AWS Lambda's doors: HTTP, and what Celery's beat wakes elsewhere."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import django
from django.db import close_old_connections
from django.utils import timezone
from django.utils.module_loading import import_string

from common.checks import reject_unsafe_settings

logger = logging.getLogger(__name__)

Answer = Mapping[str, Any]


class Context(Protocol):
    """What the runtime says about an invocation."""

    def get_remaining_time_in_millis(self) -> int: ...


Handler = Callable[[Any, Context], Answer]

# What the clock wakes, by its handler's name. Each takes the instant, asks whether to go on, and
# answers with counts.
ROUNDS = {
    "ingest_events": "dashboard.rounds.ingest_events",
    "simulate_events": "dataprovider.rounds.simulate_events",
    "collect_jobs": "repairjobs.rounds.collect_jobs",
    "sweep_jobs": "repairjobs.rounds.sweep_jobs",
    "follow_jobs": "repairjobs.rounds.follow_jobs",
    "run_document_errands": "repairjobs.rounds.run_document_errands",
    "run_sms_errands": "repairjobs.rounds.run_sms_errands",
    "run_status_errands": "repairjobs.rounds.run_status_errands",
    "reconcile_jobs": "repairjobs.rounds.reconcile_jobs",
    "simulate_client": "repairjobs.rounds.simulate_client",
}
# Kept for what is under way when a round is told to end: a page of the provider may take 25
# seconds, and an SMS as many. Lambda kills what is not done by then.
SPARE_SECONDS = 30


class TimeoutTooShort(Exception):
    """The function's timeout leaves no time to begin anything."""


def __getattr__(name: str) -> Handler:
    """Make the handler that the runtime asks for as it starts.

    What one function needs no other one has to import: each starts as fast as it can.
    """
    if name == "http":
        return _http_handler()
    if name in ROUNDS:
        return _round_handler(name)
    raise AttributeError(name)


def _http_handler() -> Handler:
    # Django sets itself up once more where it is a WSGI application.
    with _runtime_s_log():
        from serverless.http import answerer

        answer = answerer()

    def http(event: Any, context: Context) -> Answer:
        close_old_connections()
        return answer(event, context)

    return http


def _round_handler(name: str) -> Handler:
    work = import_string(ROUNDS[name])
    reject_unsafe_settings()

    def wake(event: Any, context: Context) -> Answer:
        close_old_connections()

        def has_time() -> bool:
            return context.get_remaining_time_in_millis() > SPARE_SECONDS * 1000

        if not has_time():
            raise TimeoutTooShort(f"{name} needs a timeout of more than {SPARE_SECONDS} seconds")
        counts: dict[str, Any] = work(at=timezone.now(), has_time_left=has_time)
        answer = counts | {"out_of_time": not has_time()}
        logger.info("%s: %s", name, answer)
        return answer

    return wake


def _set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if secret := os.environ.get("SETTINGS_SECRET"):
        from serverless.secrets import read_settings

        os.environ |= read_settings(secret)
    with _runtime_s_log():
        django.setup()


@contextmanager
def _runtime_s_log() -> Iterator[None]:
    """Keep what the runtime logs by: it names the request in each line, and tears no traceback."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    yield
    if handlers:
        root.handlers = handlers


_set_up()
