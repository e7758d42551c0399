"""AWS Lambda functions: seconds until the first response, and for a further invocation."""

import os
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from benchmarks.harness import (
    format_number,
    interleaved,
    median,
    run_python,
    scratch_databases,
    table,
)
from tests.serverless.gateway import HOST, http_api
from tests.serverless.runtime import Function

HEALTH = http_api("GET", "/healthz")
# Events by handler and SERVICES.
EVENTS = {
    ("http", "stats"): HEALTH,
    ("http", "dataprovider"): HEALTH,
    ("http", "dashboard"): HEALTH,
    ("http", "repairjobs"): HEALTH,
    ("http", "all"): HEALTH,
    ("collect_jobs", "repairjobs"): None,
    ("run_sms_outbox", "repairjobs"): None,
}


def run(*, quick: bool) -> Iterator[str]:
    starts, further = (3, 20) if quick else (9, 100)
    with scratch_databases(ALLOWED_HOSTS=HOST) as databases:
        run_python("manage.py", "create_client_database", env=databases.env)
        sides = {
            f"`{handler}`, `SERVICES={services}`": partial(
                _measure,
                handler,
                os.environ | databases.env | {"SERVICES": services},
                event,
                further,
            )
            for (handler, services), event in EVENTS.items()
        }
        results = interleaved(sides, rounds=starts)
    yield table(
        "AWS Lambda's functions",
        ["", "first s", "further ms"],
        [
            (
                name,
                format_number(median([first for first, _ in seconds])),
                format_number(median([later for _, later in seconds]) * 1000),
            )
            for name, seconds in results.items()
        ],
    )


def _measure(handler: str, env: dict[str, str], event: Any, further: int) -> tuple[float, float]:
    """Return the seconds of the first response, including the start, and of a further one."""
    function = Function(handler, env)
    try:
        first, *others = [_seconds(function, event) for _ in range(further + 1)]
    finally:
        function.end()
    return first, median(others)


def _seconds(function: Function, event: Any) -> float:
    started_at = time.perf_counter()
    function.invoke(event)
    return time.perf_counter() - started_at
