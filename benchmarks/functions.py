"""AWS Lambda's functions: from the start of the real runtime to its first answer, and then on."""

import os
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from benchmarks.harness import interleaved, median, run_python, scratch_stores, spoken, table
from tests.serverless.gateway import HOST, http_api
from tests.serverless.runtime import Function

HEALTH = http_api("GET", "/healthz")
# By handler and SERVICES: what it is invoked with.
INVOKED = {
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
    with scratch_stores(ALLOWED_HOSTS=HOST) as stores:
        run_python("manage.py", "create_client_database", env=stores.env)
        sides = {
            f"`{handler}`, `SERVICES={services}`": partial(
                _measure, handler, os.environ | stores.env | {"SERVICES": services}, event, further
            )
            for (handler, services), event in INVOKED.items()
        }
        found = interleaved(sides, rounds=starts)
    yield table(
        "AWS Lambda's functions",
        ["", "first s", "further ms"],
        [
            (
                name,
                spoken(median([first for first, _ in seconds])),
                spoken(median([then for _, then in seconds]) * 1000),
            )
            for name, seconds in found.items()
        ],
    )


def _measure(handler: str, env: dict[str, str], event: Any, further: int) -> tuple[float, float]:
    """The seconds of the first answer, start and all, and of a further one."""
    function = Function(handler, env)
    try:
        first, *others = [_seconds(function, event) for _ in range(further + 1)]
    finally:
        function.end()
    return first, median(others)


def _seconds(function: Function, event: Any) -> float:
    begun = time.perf_counter()
    function.invoke(event)
    return time.perf_counter() - begun
