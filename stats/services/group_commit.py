"""Hot path: one transaction for everything that waits, instead of one for each request.

``benchmarks/`` compares. No timer: alone, a request waits for nobody; under load, whatever came
while one group was being written is the next group.
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
Answer = TypeVar("Answer")


class Turn(Generic[Item, Answer]):
    """One request's place in the queue."""

    __slots__ = ("answer", "is_given_up", "item", "settled")

    answer: Answer | BaseException

    def __init__(self, item: Item) -> None:
        self.item = item
        self.is_given_up = False
        # A lock that the writer opens: a threading.Event costs three times as much.
        self.settled = threading.Lock()
        self.settled.acquire()

    def settle(self, answer: Answer | BaseException) -> None:
        self.answer = answer
        self.settled.release()


class GroupWriter(Generic[Item, Answer]):
    """A thread with a connection of its own that writes what many threads submit, in groups.

    It starts with the first item, and anew in a forked process.
    """

    def __init__(self, write: Callable[[Sequence[Item]], Sequence[Answer]]) -> None:
        """``write`` writes all items in one transaction, or raises and writes none."""
        self._write = write
        self._queue: SimpleQueue[Turn[Item, Answer] | None]
        self._starting: threading.Lock
        self._thread: threading.Thread | None
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def submit(self, item: Item) -> Answer:
        """Return the item's answer once its group is committed.

        :raises OperationalError: if the store is away or too slow; the item may yet be written.
        """
        if self._queue.qsize() >= MAX_WAITING:
            raise OperationalError(f"{MAX_WAITING} requests wait for the store already")
        turn: Turn[Item, Answer] = Turn(item)
        self._queue.put(turn)
        if self._thread is None:
            self._start()
        if not turn.settled.acquire(timeout=WAIT_SECONDS):
            turn.is_given_up = True
            raise OperationalError(f"the store did not answer within {WAIT_SECONDS:.0f} seconds")
        if not isinstance(turn.answer, BaseException):
            return turn.answer
        if is_unavailable(turn.answer):
            # Many threads raise this one: each its own.
            raise OperationalError("the store is away") from turn.answer
        raise turn.answer

    def close(self) -> None:
        """End the thread, after what waits; the next item starts it again."""
        with self._starting:
            if self._thread is None:
                return
            self._queue.put(None)
            self._thread.join()
            self._thread = None
        if not self._queue.empty():
            self._start()

    def _forget(self) -> None:
        self._queue = SimpleQueue()
        self._starting = threading.Lock()
        self._thread = None

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._serve, name="group writer", daemon=True
                )
                self._thread.start()

    def _serve(self) -> None:
        while turns := self._next_group():
            answers: Sequence[Answer | BaseException]
            try:
                answers = self._write_group([turn.item for turn in turns])
            except BaseException as error:
                # Whatever it is, nobody may wait for ever.
                logger.exception("A group of %d could not be written", len(turns))
                answers = [error] * len(turns)
            for turn, answer in zip(turns, answers, strict=True):
                turn.settle(answer)
        connections.close_all()

    def _next_group(self) -> list[Turn[Item, Answer]]:
        """All that wait, at least one; none when the end is asked for."""
        turns: list[Turn[Item, Answer]] = []
        while not turns:
            for _ in range(min(max(1, self._queue.qsize()), MAX_GROUP_SIZE)):
                turn = self._queue.get()
                if turn is None:
                    # Behind it there may be more: it ends the writer when it comes alone.
                    if not turns:
                        return []
                    self._queue.put(None)
                    break
                if not turn.is_given_up:
                    turns.append(turn)
        return turns

    def _write_group(self, items: Sequence[Item]) -> Sequence[Answer | BaseException]:
        """Each item's answer; if the group fails as a whole, each is tried by itself."""
        try:
            return self._write_twice(items)
        except DatabaseError as error:
            if is_unavailable(error) or len(items) == 1:
                return [error] * len(items)
            logger.warning("A group of %d failed; one by one: %s", len(items), error)
        return [self._write_group([item])[0] for item in items]

    def _write_twice(self, items: Sequence[Item]) -> Sequence[Answer]:
        """A connection that broke tells so at its next use: try once more on a new one."""
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
