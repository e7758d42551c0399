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

Result = Mapping[str, Any]


class Context(Protocol):
    """The part of the runtime's context object that the handlers use."""

    def get_remaining_time_in_millis(self) -> int: ...


Handler = Callable[[Any, Context], Result]

# Seconds reserved for the step that is running when the time budget ends: one page of events or one
# SMS can take 25. Lambda kills the function at its timeout.
SPARE_SECONDS = 30


class TimeoutTooShort(Exception):
    """The function's timeout leaves no time to start any work."""


def __getattr__(name: str) -> Handler:
    """Create a handler when the runtime imports it: ``http`` or the name of a scheduled job.

    A function then imports only the modules that its handler needs.
    """
    if name.startswith("_"):
        raise AttributeError(name)
    return _http_handler() if name == "http" else _scheduled_job_handler(name)


def _http_handler() -> Handler:
    # Importing the WSGI application calls django.setup() again, which replaces the log handlers.
    with _keep_runtime_logging():
        from serverless.http import create_handler

        handle = create_handler()

    def http(event: Any, context: Context) -> Result:
        close_old_connections()
        return handle(event, context)

    return http


def _scheduled_job_handler(name: str) -> Handler:
    from common.scheduled import UnknownJob, find_job, run_job

    try:
        job = find_job(name)
    except UnknownJob as error:
        raise AttributeError(str(error)) from error
    reject_unsafe_settings()

    def handle(event: Any, context: Context) -> Result:
        close_old_connections()

        def has_time_left() -> bool:
            return context.get_remaining_time_in_millis() > SPARE_SECONDS * 1000

        if not has_time_left():
            raise TimeoutTooShort(f"{name} needs a timeout of more than {SPARE_SECONDS} seconds")
        counts = run_job(job, at=timezone.now(), has_time_left=has_time_left)
        result = {**counts, "out_of_time": not has_time_left()}
        logger.info("%s finished: %s", name, result)
        return result

    return handle


def _set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if secret := os.environ.get("SETTINGS_SECRET"):
        from serverless.secrets import read_settings

        os.environ |= read_settings(secret)
    with _keep_runtime_logging():
        django.setup()


@contextmanager
def _keep_runtime_logging() -> Iterator[None]:
    """Restore the runtime's log handlers: they add the request id and keep tracebacks together."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    yield
    if handlers:
        root.handlers = handlers


_set_up()
