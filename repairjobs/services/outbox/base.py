"""The base class of the kinds of outbox tasks."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar

from repairjobs.models import OutboxKind, OutboxTask

Clock = Callable[[], datetime]


class RetryLater(Exception):
    """The task was not done. This counts as an attempt. The task is due again after a pause."""

    def __init__(self, reason: str, *, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause  # minimum seconds until the next attempt


class TaskKind:
    """A kind of outbox task. Each instance handles one batch of claimed tasks."""

    name: ClassVar[OutboxKind]
    batch_size: ClassVar[int] = 1
    max_attempts: ClassVar[int] = 12  # then the task becomes a dead letter
    outages: ClassVar[tuple[type[Exception], ...]] = ()  # end the run, and cause no dead letters
    dead_letter_is_flagged: ClassVar[bool] = True  # whether the job gets a flag

    def __init__(self, tasks: Sequence[OutboxTask], clock: Clock) -> None:
        self.tasks = tasks
        self.clock = clock

    def handle(self, task: OutboxTask) -> None:
        """Do one task of the batch, and delete its row when it is done.

        Any exception reschedules the task.

        :raises RetryLater: if the task was not done for an expected reason.
        """
        raise NotImplementedError

    def finish(self) -> None:
        """Record the results of a batch, after its last task or an outage."""
