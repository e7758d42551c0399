"""AWS Lambda handlers: HTTP requests and scheduled jobs."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import django
from django.db import close_old_connections
from django.utils import timezone

from common.checks import reject_unsafe_settings

logger = logging.getLogger(__name__)

Answer = Mapping[str, Any]


class Context(Protocol):
    """What the runtime says about an invocation."""

    def get_remaining_time_in_millis(self) -> int: ...


Handler = Callable[[Any, Context], Answer]

# Seconds left for the step that is running when a job runs out of time: a page of the provider or
# an SMS may take 25. Lambda kills the function at its timeout.
SPARE_SECONDS = 30


class TimeoutTooShort(Exception):
    """The function's timeout leaves no time to start any work."""


def __getattr__(name: str) -> Handler:
    """Create the handler that the runtime asks for at its start: ``http`` or a scheduled job.

    Each function imports only what its own handler needs, so that it starts fast.
    """
    if name.startswith("_"):
        raise AttributeError(name)
    return _http_handler() if name == "http" else _scheduled_job_handler(name)


def _http_handler() -> Handler:
    # Django sets itself up once more where it is a WSGI application.
    with _runtime_s_log():
        from serverless.http import answerer

        answer = answerer()

    def http(event: Any, context: Context) -> Answer:
        close_old_connections()
        return answer(event, context)

    return http


def _scheduled_job_handler(name: str) -> Handler:
    from common.scheduled import UnknownJob, find_job, run_job

    try:
        job = find_job(name)
    except UnknownJob as error:
        raise AttributeError(str(error)) from error
    reject_unsafe_settings()

    def handle(event: Any, context: Context) -> Answer:
        close_old_connections()

        def has_time_left() -> bool:
            return context.get_remaining_time_in_millis() > SPARE_SECONDS * 1000

        if not has_time_left():
            raise TimeoutTooShort(f"{name} needs a timeout of more than {SPARE_SECONDS} seconds")
        counts = run_job(job, at=timezone.now(), has_time_left=has_time_left)
        answer = {**counts, "out_of_time": not has_time_left()}
        logger.info("%s finished: %s", name, answer)
        return answer

    return handle


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
