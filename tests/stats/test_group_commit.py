import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import DataError, InternalError, OperationalError

from stats.services.group_commit import WAIT_SECONDS, GroupCommitWriter
from tests.processes import eventually


class FakeDatabase:
    """Records the groups of numbers that it writes. It can fail and block."""

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
def database():
    return FakeDatabase()


@pytest.fixture
def writer(database):
    writer = GroupCommitWriter(database.write)
    yield writer
    database.is_open.set()
    writer.close()


@pytest.fixture
def threads():
    with ThreadPoolExecutor(32) as threads:
        yield threads


def submit_while_busy(database, writer, threads, items):
    """Submit items that wait together while the database is busy with a first one."""
    database.is_open.clear()
    first = threads.submit(writer.submit, 0)
    assert database.is_busy.wait(30)
    waiting = [threads.submit(writer.submit, item) for item in items]
    eventually(lambda: writer.waiting_count == len(items), "all items wait")
    return first, waiting


class TestGroupCommitWriter:
    def test_each_item_gets_its_own_result(self, writer, threads):
        assert list(threads.map(writer.submit, range(100))) == [n * 10 for n in range(100)]

    def test_item_that_arrives_alone_is_written_at_once(self, database, writer):
        writer.submit(1)
        writer.submit(2)

        assert database.groups == [[1], [2]]

    def test_items_that_arrive_during_a_write_form_the_next_group(self, database, writer, threads):
        first, waiting = submit_while_busy(database, writer, threads, range(1, 20))

        database.is_open.set()

        assert [first.result(), *[future.result() for future in waiting]] == [
            n * 10 for n in range(20)
        ]
        assert database.groups == [[0], list(range(1, 20))]

    def test_bad_item_fails_alone(self, database, writer, threads):
        def refuse_seven(items):
            if 7 in items:
                raise DataError("seven")

        database.fail = refuse_seven
        _, waiting = submit_while_busy(database, writer, threads, range(1, 20))

        database.is_open.set()

        failed = [
            n for n, future in enumerate(waiting, 1) if isinstance(future.exception(), DataError)
        ]
        assert failed == [7]
        assert [future.result() for n, future in enumerate(waiting, 1) if n != 7] == [
            n * 10 for n in range(1, 20) if n != 7
        ]

    def test_group_is_written_again_after_a_lost_connection(self, database, writer):
        failures = [OperationalError("gone")]

        def fail(items):
            if failures:
                raise failures.pop()

        database.fail = fail

        assert writer.submit(1) == 10

    def test_writer_recovers_after_the_database_was_unavailable(self, database, writer):
        def fail(items):
            raise OperationalError("gone")

        database.fail = fail
        with pytest.raises(OperationalError, match="unavailable"):
            writer.submit(1)

        database.fail = lambda items: None
        assert writer.submit(2) == 20

    def test_read_only_database_counts_as_unavailable(self, database, writer):
        class ReadOnly(Exception):
            pgcode = "25006"

        def fail(items):
            raise InternalError("read-only") from ReadOnly()

        database.fail = fail

        with pytest.raises(OperationalError, match="unavailable"):
            writer.submit(1)

    @pytest.mark.parametrize("error", [RuntimeError, MemoryError, SystemExit])
    def test_every_error_reaches_all_waiting_threads(self, database, writer, threads, error):
        def fail(items):
            raise error

        database.fail = fail
        first, waiting = submit_while_busy(database, writer, threads, range(1, 10))
        database.is_open.set()

        assert all(isinstance(future.exception(30), error) for future in [first, *waiting])
        database.fail = lambda items: None
        assert writer.submit(5) == 50

    def test_item_is_not_written_after_its_thread_stopped_waiting(self, database, writer, threads):
        # Long enough for the writer to start with the first item.
        writer.wait_seconds = 2.0
        first, waiting = submit_while_busy(database, writer, threads, [1, 2])

        assert all(
            isinstance(future.exception(30), OperationalError) for future in [first, *waiting]
        )
        writer.wait_seconds = WAIT_SECONDS
        database.is_open.set()
        assert writer.submit(3) == 30
        assert database.groups == [[0], [3]]

    def test_queue_is_bounded(self, database, writer, threads):
        writer.max_waiting = 3
        _, waiting = submit_while_busy(database, writer, threads, [1, 2, 3])

        with pytest.raises(OperationalError, match="3 requests already wait"):
            writer.submit(4)

        database.is_open.set()
        assert [future.result() for future in waiting] == [10, 20, 30]

    def test_group_size_is_bounded(self, database, writer, threads):
        writer.max_group_size = 4
        _, waiting = submit_while_busy(database, writer, threads, range(1, 10))

        database.is_open.set()

        assert [future.result() for future in waiting] == [n * 10 for n in range(1, 10)]
        assert max(len(group) for group in database.groups) == 4

    def test_close_writes_waiting_items_and_the_next_item_starts_a_new_thread(
        self, database, writer, threads
    ):
        _, waiting = submit_while_busy(database, writer, threads, range(1, 10))
        closing = threads.submit(writer.close)
        database.is_open.set()

        closing.result()
        assert [future.result() for future in waiting] == [n * 10 for n in range(1, 10)]
        assert writer.submit(1) == 10

    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_forked_process_starts_its_own_thread(self, writer):
        writer.submit(1)
        pid = os.fork()
        if pid == 0:
            os._exit(writer.submit(4))

        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 40
