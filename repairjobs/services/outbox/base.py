"""What a kind of outbox task defines."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar

from repairjobs.models import OutboxKind, OutboxTask

Clock = Callable[[], datetime]


class RetryLater(Exception):
    """The task was not done this time. It is due again after a pause, and used up an attempt."""

    def __init__(self, reason: str, *, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause  # the shortest one, in seconds


class TaskKind:
    """A kind of outbox task. Each instance handles one batch of claimed tasks."""

    name: ClassVar[OutboxKind]
    batch_size: ClassVar[int] = 1
    max_attempts: ClassVar[int] = 12  # then the task becomes a dead letter
    outages: ClassVar[tuple[type[Exception], ...]] = ()  # use up no attempts, and end the run
    dead_letter_is_flagged: ClassVar[bool] = True  # on its job

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
