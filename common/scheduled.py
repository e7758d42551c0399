"""Scheduled jobs, which Celery beat, AWS Lambda and ``manage.py run_job`` start.

Each app lists its jobs in ``scheduled.py``, in one table named ``SCHEDULED_JOBS``.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.service import served_services
from common.time_budget import HasTimeLeft, time_limit_of, unlimited

logger = logging.getLogger(__name__)

Counts = Mapping[str, Any]


class UnknownJob(Exception):
    """No service of this process has a scheduled job with this name."""

    def __init__(self, name: str) -> None:
        known = ", ".join(sorted(job.name for job in scheduled_jobs()))
        super().__init__(f"{name!r} is not a scheduled job of this process. Known jobs: {known}")


@dataclass(frozen=True, kw_only=True)
class ScheduledJob:
    """One piece of recurring work.

    ``run(at=…, has_time_left=…)`` does the work and returns counts for the log. It must be safe to
    run at any time, twice at once, and after a crash.
    """

    name: str
    run: Callable[..., Counts]
    every: int | None  # seconds between two runs by Celery beat; None: beat does not start it
    expected_errors: tuple[type[Exception], ...] = ()  # outages; the next run is the retry
    # Seconds after which a run starts no further step; None: it works until everything is done.
    time_budget: float | None = None
    time_limit: float | None = None  # seconds until Celery kills the process; None: the default


def scheduled_jobs() -> Iterator[ScheduledJob]:
    """Yield the scheduled jobs of the services of this process."""
    for service in served_services():
        yield from service.scheduled_jobs()


def find_job(name: str) -> ScheduledJob:
    """
    :raises UnknownJob: if no service of this process has this job.
    """
    for job in scheduled_jobs():
        if job.name == name:
            return job
    raise UnknownJob(name)


def run_job(job: ScheduledJob, *, at: datetime, has_time_left: HasTimeLeft | None = None) -> Counts:
    """Run the job once and return its counts. Log one line if it did something or failed.

    ``has_time_left`` replaces the job's own time budget.
    """
    if has_time_left is None:
        has_time_left = unlimited if job.time_budget is None else time_limit_of(job.time_budget)
    try:
        counts = job.run(at=at, has_time_left=has_time_left)
    except job.expected_errors as error:
        logger.error("%s stopped, the next run continues: %s", job.name, error)
        raise
    if any(counts.values()):
        logger.info("%s: %s", job.name, format_counts(counts))
    return counts


def format_counts(counts: Counts) -> str:
    return " ".join(f"{name}={value}" for name, value in counts.items())
