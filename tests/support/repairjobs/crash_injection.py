"""Kills a worker right before or after an operation: a statement, a commit or an HTTP request.

Tests call ``crashing``. A worker process imports this module (``celery -I``) and kills itself at
the crash point that the environment variable DIE names.
"""

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple

import pytest
import requests
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from urllib3.connection import HTTPConnection

from tests.support.repairjobs.statements import Execute, describe


class Killed(BaseException):
    """The worker died, as by kill -9."""


class Moment(StrEnum):
    BEFORE = "before"
    AFTER = "after"
    COMMITTED = "after the commit of"  # the transaction that contains the operation


class CrashPoint(NamedTuple):
    moment: Moment
    operation: str  # a regular expression, for "database: statement" or "http: …"


CLAIM = r"^repairjobs: UPDATE repairjobs_outboxtask SET claim"
SEND_SLOT = r"^repairjobs: UPDATE repairjobs_smssendslot"
SMS_SENDING = r"^repairjobs: UPDATE repairjobs_sms SET.*(SmsState.|')SENDING"
SMS_ACCEPTED = r"^repairjobs: UPDATE repairjobs_sms SET.*(SmsState.|')ACCEPTED"
SMS_UNKNOWN = r"^repairjobs: UPDATE repairjobs_sms SET.*(SmsState.|')UNKNOWN"
EARLY_RECEIPTS = r"^repairjobs: SELECT.*FROM repairjobs_deliveryreceipt"
CLIENT_READ = r"^client: SELECT.*FROM Jobs"
CLIENT_WRITE = r"^client: UPDATE Jobs SET Job_status"
WRITE_STARTED = r"^repairjobs: UPDATE repairjobs_outboxtask SET write_started"
PUT_IN_LEDGER = r"^repairjobs: INSERT INTO job_trans.*PUT Job_status"
DOCUMENT_READ = r"^repairjobs: SELECT.*FROM repairjobs_part"
DOCUMENT_WRITE = r"^repairjobs: UPDATE repairjobs_jobdocument"
DOCUMENT_DONE = r"^repairjobs: DELETE FROM repairjobs_outboxtask.*document"
EXCHANGE, RESPONSE = "^http: exchange", "^http: response"

CRASH_POINTS = {
    "before the claim of a task": CrashPoint(Moment.BEFORE, CLAIM),
    "after the claim of a task": CrashPoint(Moment.COMMITTED, CLAIM),
    "before an import stores the job": CrashPoint(
        Moment.BEFORE, r"^repairjobs: INSERT INTO repairjobs_job "
    ),
    "before an import stores the SMS": CrashPoint(
        Moment.BEFORE, r"^repairjobs: INSERT INTO repairjobs_sms "
    ),
    "before the attempt is recorded": CrashPoint(Moment.COMMITTED, SEND_SLOT),
    "after the attempt is recorded": CrashPoint(Moment.COMMITTED, SMS_SENDING),
    "before the request to Vonage": CrashPoint(Moment.BEFORE, EXCHANGE),
    "before the response of Vonage": CrashPoint(Moment.BEFORE, RESPONSE),
    "at the response of Vonage": CrashPoint(Moment.AFTER, RESPONSE),
    "after the response of Vonage": CrashPoint(Moment.AFTER, EXCHANGE),
    "before the accepted SMS is recorded": CrashPoint(Moment.BEFORE, SMS_ACCEPTED),
    "after the accepted SMS is recorded": CrashPoint(Moment.COMMITTED, SMS_ACCEPTED),
    "before the unknown SMS is recorded": CrashPoint(Moment.BEFORE, SMS_UNKNOWN),
    "after the unknown SMS is recorded": CrashPoint(Moment.COMMITTED, SMS_UNKNOWN),
    "before early receipts are read": CrashPoint(Moment.BEFORE, EARLY_RECEIPTS),
    "before the client's row is read": CrashPoint(Moment.BEFORE, CLIENT_READ),
    "before the write's start is recorded": CrashPoint(Moment.BEFORE, WRITE_STARTED),
    "after the write's start is recorded": CrashPoint(Moment.COMMITTED, WRITE_STARTED),
    "before the write to the client": CrashPoint(Moment.BEFORE, CLIENT_WRITE),
    "after the write to the client": CrashPoint(Moment.AFTER, CLIENT_WRITE),
    "before the write is recorded": CrashPoint(Moment.BEFORE, PUT_IN_LEDGER),
    "after the write is recorded": CrashPoint(Moment.COMMITTED, PUT_IN_LEDGER),
    "before the document is built": CrashPoint(Moment.BEFORE, DOCUMENT_READ),
    "before the document is written": CrashPoint(Moment.BEFORE, DOCUMENT_WRITE),
    "before the written document is recorded": CrashPoint(Moment.BEFORE, DOCUMENT_DONE),
    "after the written document is recorded": CrashPoint(Moment.COMMITTED, DOCUMENT_DONE),
}


class Crash:
    """A crash that happens once, at one point."""

    def __init__(self, point: CrashPoint, die: Callable[[], Any]) -> None:
        self.point = point
        self.die = die
        self.is_over = False
        self.awaits_commit = False

    def watch_statement(
        self, execute: Execute, sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        """Be a wrapper of Django's for the statements of a connection."""
        operation = f"{context['connection'].alias}: {describe(sql, params)}"
        return self.watch(operation, partial(execute, sql, params, many, context))

    def watch(self, operation: str, perform: Callable[[], Any]) -> Any:
        is_here = re.search(self.point.operation, operation, re.DOTALL | re.IGNORECASE)
        if is_here and self.point.moment is Moment.BEFORE:
            self._happen()
        result = perform()
        if is_here and self.point.moment is Moment.AFTER:
            self._happen()
        if is_here and self.point.moment is Moment.COMMITTED:
            self.awaits_commit = True
        return result

    def watch_commit(self, commit: Callable[..., Any], *args: Any) -> None:
        commit(*args)
        if self.awaits_commit:
            self._happen()

    def _happen(self) -> None:
        if not self.is_over:
            self.is_over = True
            self.die()


@contextmanager
def crashing(point: str) -> Iterator[Crash]:
    """Raise Killed at a crash point, once. For tests that run in a transaction."""

    def die() -> None:
        raise Killed

    crash = Crash(CRASH_POINTS[point], die)
    savepoint_commit = BaseDatabaseWrapper._savepoint_commit

    def watch_savepoint(connection: Any, sid: str) -> None:
        if connection.savepoint_ids:
            savepoint_commit(connection, sid)
        else:
            # The outermost savepoint of the app: outside tests, this is its commit.
            crash.watch_commit(savepoint_commit, connection, sid)

    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(BaseDatabaseWrapper, "_savepoint_commit", watch_savepoint)
        _watch_http(crash, patch)
        for alias in ("repairjobs", "client"):
            stack.enter_context(connections[alias].execute_wrapper(crash.watch_statement))
        yield crash


def _watch_http(crash: Crash, patch: pytest.MonkeyPatch) -> None:
    for owner, name, operation in [
        (requests.Session, "send", "http: exchange"),
        (HTTPConnection, "getresponse", "http: response"),
    ]:
        original = getattr(owner, name)

        def watched(
            *args: Any, original: Any = original, operation: str = operation, **kwargs: Any
        ) -> Any:
            return crash.watch(operation, partial(original, *args, **kwargs))

        patch.setattr(owner, name, watched)


def _crash_this_process(point: str) -> None:
    """Arrange that this process is killed at a crash point."""
    crash = Crash(CRASH_POINTS[point], partial(os.kill, os.getpid(), signal.SIGKILL))
    patch = pytest.MonkeyPatch()
    commit = BaseDatabaseWrapper.commit

    def watch_connection(connection: BaseDatabaseWrapper, **_: Any) -> None:
        if crash.watch_statement not in connection.execute_wrappers:
            connection.execute_wrappers.append(crash.watch_statement)

    connection_created.connect(watch_connection, weak=False)
    patch.setattr(
        BaseDatabaseWrapper, "commit", lambda connection: crash.watch_commit(commit, connection)
    )
    _watch_http(crash, patch)


if os.environ.get("DIE"):
    _crash_this_process(os.environ["DIE"])
