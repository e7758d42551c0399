import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import DataError, InternalError, OperationalError

from stats.services import group_commit as group
from stats.services.group_commit import GroupWriter
from tests.processes import eventually


class Store:
    """Writes numbers, in the groups that it was given; it can be told to fail and to wait."""

    def __init__(self):
        self.groups = []
        self.fail = lambda items: None
        self.is_open = threading.Event()
        self.is_open.set()
        self.is_busy = threading.Event()

    def write(self, items):
        self.is_busy.set()
        self.is_open.wait(30)
        self.fail(items)
        self.groups.append(sorted(items))
        return [item * 10 for item in items]


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def writer(store):
    writer = GroupWriter(store.write)
    yield writer
    store.is_open.set()
    writer.close()


@pytest.fixture
def threads():
    with ThreadPoolExecutor(32) as threads:
        yield threads


def submit_while_busy(store, writer, threads, items):
    """Have the items wait together, behind a first one that the store is busy with."""
    store.is_open.clear()
    first = threads.submit(writer.submit, 0)
    assert store.is_busy.wait(30)
    waiting = [threads.submit(writer.submit, item) for item in items]
    eventually(lambda: writer._queue.qsize() == len(items), "all wait")
    return first, waiting


class TestGroupWriter:
    def test_gives_each_its_own_answer(self, writer, threads):
        assert list(threads.map(writer.submit, range(100))) == [n * 10 for n in range(100)]

    def test_writes_at_once_whoever_comes_alone(self, store, writer):
        writer.submit(1)
        writer.submit(2)

        assert store.groups == [[1], [2]]

    def test_writes_together_what_came_meanwhile(self, store, writer, threads):
        first, waiting = submit_while_busy(store, writer, threads, range(1, 20))

        store.is_open.set()

        assert [first.result(), *[it.result() for it in waiting]] == [n * 10 for n in range(20)]
        assert store.groups == [[0], list(range(1, 20))]

    def test_lets_one_bad_item_fail_alone(self, store, writer, threads):
        def refuse_seven(items):
            if 7 in items:
                raise DataError("seven")

        store.fail = refuse_seven
        _, waiting = submit_while_busy(store, writer, threads, range(1, 20))

        store.is_open.set()

        failed = [n for n, it in enumerate(waiting, 1) if isinstance(it.exception(), DataError)]
        assert failed == [7]
        assert [it.result() for n, it in enumerate(waiting, 1) if n != 7] == [
            n * 10 for n in range(1, 20) if n != 7
        ]

    def test_tries_once_more_when_the_connection_broke(self, store, writer):
        failures = [OperationalError("gone")]

        def fail(items):
            if failures:
                raise failures.pop()

        store.fail = fail

        assert writer.submit(1) == 10

    def test_says_that_the_store_is_away_and_goes_on_when_it_is_back(self, store, writer):
        def fail(items):
            raise OperationalError("gone")

        store.fail = fail
        with pytest.raises(OperationalError, match="away"):
            writer.submit(1)

        store.fail = lambda items: None
        assert writer.submit(2) == 20

    def test_takes_a_read_only_store_as_away(self, store, writer):
        class ReadOnly(Exception):
            pgcode = "25006"

        def fail(items):
            raise InternalError("read-only") from ReadOnly()

        store.fail = fail

        with pytest.raises(OperationalError, match="away"):
            writer.submit(1)

    @pytest.mark.parametrize("error", [RuntimeError, MemoryError, SystemExit])
    def test_leaves_nobody_waiting_whatever_happens(self, store, writer, threads, error):
        def fail(items):
            raise error

        store.fail = fail
        first, waiting = submit_while_busy(store, writer, threads, range(1, 10))
        store.is_open.set()

        assert all(isinstance(it.exception(30), error) for it in [first, *waiting])
        store.fail = lambda items: None
        assert writer.submit(5) == 50

    def test_waits_for_a_bounded_time_and_forgets_who_gave_up(
        self, store, writer, threads, monkeypatch
    ):
        # Long enough for the writer to take up the first one before it gives up.
        monkeypatch.setattr(group, "WAIT_SECONDS", 2.0)
        first, waiting = submit_while_busy(store, writer, threads, [1, 2])

        assert all(isinstance(it.exception(30), OperationalError) for it in [first, *waiting])
        monkeypatch.undo()
        store.is_open.set()
        assert writer.submit(3) == 30
        assert store.groups == [[0], [3]]

    def test_lets_only_so_many_wait(self, store, writer, threads, monkeypatch):
        monkeypatch.setattr(group, "MAX_WAITING", 3)
        _, waiting = submit_while_busy(store, writer, threads, [1, 2, 3])

        with pytest.raises(OperationalError, match="3 requests wait"):
            writer.submit(4)

        store.is_open.set()
        assert [it.result() for it in waiting] == [10, 20, 30]

    def test_writes_no_more_than_a_bounded_group(self, store, writer, threads, monkeypatch):
        monkeypatch.setattr(group, "MAX_GROUP_SIZE", 4)
        _, waiting = submit_while_busy(store, writer, threads, range(1, 10))

        store.is_open.set()

        assert [it.result() for it in waiting] == [n * 10 for n in range(1, 10)]
        assert max(len(each) for each in store.groups) == 4

    def test_ends_after_what_waits_and_starts_again(self, store, writer, threads):
        _, waiting = submit_while_busy(store, writer, threads, range(1, 10))
        closing = threads.submit(writer.close)
        store.is_open.set()

        closing.result()
        assert [it.result() for it in waiting] == [n * 10 for n in range(1, 10)]
        assert writer.submit(1) == 10

    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_starts_anew_in_a_forked_process(self, writer):
        writer.submit(1)
        pid = os.fork()
        if pid == 0:
            os._exit(writer.submit(4))

        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 40
