"""Hot path: one transaction for all requests that wait, instead of one per request.

``python -m benchmarks stats`` compares it with a plain view. There is no timer: if no other item
waits, an item is written at once. Under load, all items that arrive during one transaction form
the next group.
"""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Generic, TypeVar

from django.db import DatabaseError, OperationalError, connections

from common.db.errors import is_unavailable

logger = logging.getLogger(__name__)

MAX_GROUP_SIZE = 1_000
MAX_WAITING = 10_000
WAIT_SECONDS = 30.0

Item = TypeVar("Item")
Result = TypeVar("Result")


class PendingWrite(Generic[Item, Result]):
    """An item in the queue, and later its result."""

    __slots__ = ("done", "is_abandoned", "item", "result")

    result: Result | BaseException

    def __init__(self, item: Item) -> None:
        self.item = item
        self.is_abandoned = False  # its thread no longer waits
        # The writer releases this lock. A threading.Event would take three times as long.
        self.done = threading.Lock()
        self.done.acquire()

    def resolve(self, result: Result | BaseException) -> None:
        self.result = result
        self.done.release()


class GroupCommitWriter(Generic[Item, Result]):
    """A thread with its own database connection that writes the items of many threads in groups.

    The thread starts with the first item. A forked process starts its own thread.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        max_group_size: int = MAX_GROUP_SIZE,
        max_waiting: int = MAX_WAITING,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        """Set the function that writes a group, and the limits.

        ``write`` must write all items in one transaction, or raise an exception and write none.
        """
        self._write = write
        self.max_group_size = max_group_size
        self.max_waiting = max_waiting
        self.wait_seconds = wait_seconds
        self._queue: SimpleQueue[PendingWrite[Item, Result] | None]
        self._starting: threading.Lock
        self._thread: threading.Thread | None
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    @property
    def waiting_count(self) -> int:
        return self._queue.qsize()

    def submit(self, item: Item) -> Result:
        """Return the item's result once its group is committed.

        :raises OperationalError: if the database is unavailable or too slow. The item may still
            be written.
        """
        if self._queue.qsize() >= self.max_waiting:
            raise OperationalError(f"{self.max_waiting} requests already wait for the database")
        pending: PendingWrite[Item, Result] = PendingWrite(item)
        self._queue.put(pending)
        if self._thread is None:
            self._start()
        if not pending.done.acquire(timeout=self.wait_seconds):
            pending.is_abandoned = True
            raise OperationalError(f"no reply from the database in {self.wait_seconds:.0f} seconds")
        if not isinstance(pending.result, BaseException):
            return pending.result
        if is_unavailable(pending.result):
            # All threads of a group got the same exception object, so each raises a new one.
            raise OperationalError("the database is unavailable") from pending.result
        raise pending.result

    def close(self) -> None:
        """Write all waiting items and end the thread. The next item starts a new thread."""
        with self._starting:
            if self._thread is None:
                return
            self._queue.put(None)
            self._thread.join()
            self._thread = None
        if not self._queue.empty():
            self._start()

    def _reset(self) -> None:
        self._queue = SimpleQueue()
        self._starting = threading.Lock()
        self._thread = None

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="group commit writer", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        while group := self._next_group():
            results: Sequence[Result | BaseException]
            try:
                results = self._write_group([pending.item for pending in group])
            except BaseException as error:
                # Each request must get a result, also on SystemExit or MemoryError.
                logger.exception("A group of %d items could not be written", len(group))
                results = [error] * len(group)
            for pending, result in zip(group, results, strict=True):
                pending.resolve(result)
        connections.close_all()

    def _next_group(self) -> list[PendingWrite[Item, Result]]:
        """Wait for an item, then return all waiting items. Return [] if the thread must end."""
        group: list[PendingWrite[Item, Result]] = []
        while not group:
            for _ in range(min(max(1, self._queue.qsize()), self.max_group_size)):
                pending = self._queue.get()
                if pending is None:
                    # Write the group first. Put the end mark back, so that the next call returns.
                    if not group:
                        return []
                    self._queue.put(None)
                    break
                if not pending.is_abandoned:
                    group.append(pending)
        return group

    def _write_group(self, items: Sequence[Item]) -> Sequence[Result | BaseException]:
        """Write the group and return each item's result. If it fails, write item by item."""
        try:
            return self._write_with_reconnect(items)
        except DatabaseError as error:
            if is_unavailable(error) or len(items) == 1:
                return [error] * len(items)
            logger.warning("A group of %d items failed; writing one by one: %s", len(items), error)
        return [self._write_group([item])[0] for item in items]

    def _write_with_reconnect(self, items: Sequence[Item]) -> Sequence[Result]:
        """Write the items. If the connection is broken, try once more with a new connection."""
        try:
            return self._write(items)
        except Exception as error:
            if not is_unavailable(error):
                raise
            connections.close_all()
        try:
            return self._write(items)
        except DatabaseError:
            connections.close_all()
            raise
