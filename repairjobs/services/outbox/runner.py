"""The runner of outbox tasks. It claims tasks, runs them, retries them and makes dead letters."""

import logging
import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from common.db.transactions import atomic_with_retry
from common.time_budget import HasTimeLeft, time_limit_of
from repairjobs.models import Job, OutboxTask
from repairjobs.services.outbox.base import Clock, RetryLater, TaskKind
from repairjobs.services.workflow import JobEvent, advance

logger = logging.getLogger(__name__)

RUN_SECONDS = 20.0
# Outages raise a task's attempts at most to this number. The pause then is about a minute.
MAX_OUTAGE_ATTEMPTS = 6
FIRST_PAUSE, MAX_PAUSE = 2.0, 300.0


def run_outbox(
    kind: type[TaskKind], *, clock: Clock, has_time_left: HasTimeLeft | None = None
) -> int:
    """Run the tasks of a kind that are due and return how many were tried.

    A run ends when no task is due, after an outage, or when no time is left. The default time is
    ``RUN_SECONDS``.
    """
    has_time_left = has_time_left or time_limit_of(RUN_SECONDS)
    tried, is_available = 0, True
    while is_available and has_time_left():
        tasks = OutboxTask.objects.claim(kind.name, limit=kind.batch_size)
        if not tasks:
            break
        tried += len(tasks)
        is_available = run_batch(kind, tasks, clock)
    return tried


def run_batch(kind: type[TaskKind], tasks: Sequence[OutboxTask], clock: Clock) -> bool:
    """Run claimed tasks, and reschedule those that fail. Return False after an outage."""
    batch, is_available = kind(tasks, clock), True
    for position, task in enumerate(tasks):
        try:
            batch.handle(task)
        except kind.outages as error:
            _reschedule_outage(tasks[position:], error)
            is_available = False
            break
        except RetryLater as delay:
            _reschedule(kind, task, str(delay), at=clock(), min_pause=delay.pause)
        except Exception as error:
            _record_failure(kind, task, error, at=clock())
    batch.finish()
    return is_available


@atomic_with_retry(using="repairjobs")
def retry_task(task: OutboxTask, *, at: datetime) -> bool:
    """Make a task due now, with no attempts used. Return False if the task is already done."""
    job = Job.objects.locked(task.job_id)
    is_retried = bool(OutboxTask.objects.row_of(task).retry())
    if is_retried:
        advance(job, JobEvent.TASK_RETRIED, at=at, kind=task.kind)
    return is_retried


def _reschedule_outage(tasks: Sequence[OutboxTask], error: Exception) -> None:
    logger.warning("Rescheduled %d %s tasks: %s", len(tasks), tasks[0].kind, error)
    for task in tasks:
        attempts = min(task.attempts, MAX_OUTAGE_ATTEMPTS)
        pause = _pause_after(attempts)
        OutboxTask.objects.claimed_by(task).reschedule(
            timedelta(seconds=pause), attempts=attempts, error=_describe(error)
        )


def _record_failure(
    kind: type[TaskKind], task: OutboxTask, error: Exception, *, at: datetime
) -> None:
    logger.error("Failed %s task %d", task.kind, task.pk, exc_info=error)
    _reschedule(kind, task, _describe(error), at=at)


@atomic_with_retry(using="repairjobs")
def _reschedule(
    kind: type[TaskKind],
    task: OutboxTask,
    reason: str,
    *,
    at: datetime,
    min_pause: float | None = None,
) -> None:
    """Make the task due after a pause. After too many attempts, make it a dead letter."""
    job = Job.objects.locked(task.job_id)
    claimed = OutboxTask.objects.claimed_by(task)
    if task.attempts >= kind.max_attempts:
        if claimed.bury(error=reason) and kind.dead_letter_is_flagged:
            advance(job, JobEvent.TASK_FAILED, at=at)
    else:
        pause = max(min_pause or 0.0, _pause_after(task.attempts))
        claimed.reschedule(timedelta(seconds=pause), attempts=task.attempts, error=reason)


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _pause_after(attempts: int) -> float:
    longest = min(FIRST_PAUSE * 2.0 ** (attempts - 1), MAX_PAUSE)
    # Random, so that the tasks are not all due at the same time.
    return random.uniform(longest / 2, longest)
