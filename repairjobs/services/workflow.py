"""The state machine of a job.

``TRANSITIONS`` lists the effects of events on a job. ``DUE_TASKS`` lists the tasks that each state
requires. docs/repairjobs.md shows both as a diagram. ``advance`` applies them. It is the only way
to change a job. ``advance_sms`` is the only way to change an SMS.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from django.conf import settings

from repairjobs.models import (
    FINISHED,
    UNDER_WAY,
    Job,
    JobState,
    JobStatus,
    JobTransaction,
    OptOut,
    OutboxKind,
    OutboxTask,
    Sms,
    SmsKind,
    SmsState,
    normalize_status,
)
from repairjobs.services import sms_states
from repairjobs.services.attention import drop_outdated_acknowledgements
from repairjobs.services.sms_states import SmsEvent
from repairjobs.services.sms_texts import draft_automatic_sms


class JobEvent(StrEnum):
    """The events that can change a job."""

    IMPORTED = "imported"
    CLIENT_SET_NEW = "client set NEW"
    CLIENT_SET_OPENED = "client set OPENED"
    CLIENT_SET_IN_PROGRESS = "client set IN PROGRESS"
    CLIENT_SET_COMPLETED = "client set JOB COMPLETED"
    CLIENT_SET_CLOSED = "client set CLOSED"
    CLIENT_SET_OTHER = "client set another status"
    CLIENT_CHANGED_ROW = "client changed the row"
    CLIENT_DELETED_ROW = "client deleted the row"
    OPENED_WRITTEN = "OPENED written"
    PAID_WRITTEN = "paid status written"
    PAID_FOUND = "paid status found"
    CLOSED_WRITTEN = "CLOSED written"
    CLOSED_FOUND = "CLOSED found"
    RELEASED = "released"
    RELEASED_SILENTLY = "released silently"
    PAYMENT_RECEIVED = "payment received"
    PART_CHANGED = "part changed"
    SMS_CHANGED = "SMS changed"
    MESSAGE_RECEIVED = "message received"
    FLAG_SEEN = "flag seen"
    TASK_FAILED = "task failed too often"
    TASK_RETRIED = "task retried"


# --- Tasks that the tables below can enqueue -----------------------------------------------------


class SendSms(NamedTuple):
    """Send the job's only SMS of this kind, or suppress it if the customer is unreachable."""

    kind: SmsKind


class SuppressSms(NamedTuple):
    """Store the job's only SMS of this kind as suppressed."""

    kind: SmsKind


class WriteStatus(NamedTuple):
    """Write a status to the client, after an SMS is resolved.

    If the SMS was perhaps sent, the write waits for ``SMS_UNKNOWN_SECONDS`` at most.
    """

    status: JobStatus
    after: SmsKind


class WritePaidStatus(NamedTuple):
    """Write the client's status for paid jobs, if the client has one."""


Task = SendSms | SuppressSms | WriteStatus | WritePaidStatus


# --- The tables ----------------------------------------------------------------------------------


class Transition(NamedTuple):
    """The effect of an event on a job in one of the source states."""

    sources: tuple[JobState, ...]
    event: JobEvent
    target: JobState | None = None  # None: the state stays
    note: str = ""  # the ledger line, filled with the event's details; empty: no line
    stamp: str = ""  # the timestamp that the event sets if it is empty
    tasks: tuple[Task, ...] = ()


ANY = (*UNDER_WAY, *FINISHED)
# The start of every job. ``start_jobs`` applies it to many jobs at once.
IMPORT = Transition((), JobEvent.IMPORTED, JobState.NEW, "GET new job")
TRANSITIONS = (
    # The client may set its statuses in any order.
    Transition(UNDER_WAY, JobEvent.CLIENT_SET_NEW, JobState.NEW, "GET {changes}"),
    Transition(UNDER_WAY, JobEvent.CLIENT_SET_OPENED, JobState.OPENED, "GET {changes}"),
    Transition(UNDER_WAY, JobEvent.CLIENT_SET_IN_PROGRESS, JobState.IN_PROGRESS, "GET {changes}"),
    Transition(UNDER_WAY, JobEvent.CLIENT_SET_COMPLETED, JobState.COMPLETED, "GET {changes}"),
    Transition(UNDER_WAY, JobEvent.CLIENT_SET_CLOSED, JobState.CLOSED_BY_CLIENT, "GET {changes}"),
    Transition(UNDER_WAY, JobEvent.CLIENT_SET_OTHER, JobState.UNRECOGNISED, "GET {changes}"),
    # A job that we closed stays finished, and gets a flag.
    Transition(FINISHED, JobEvent.CLIENT_SET_NEW, JobState.REOPENED, "GET {changes}"),
    Transition(FINISHED, JobEvent.CLIENT_SET_OPENED, JobState.REOPENED, "GET {changes}"),
    Transition(FINISHED, JobEvent.CLIENT_SET_IN_PROGRESS, JobState.REOPENED, "GET {changes}"),
    Transition(FINISHED, JobEvent.CLIENT_SET_COMPLETED, JobState.REOPENED, "GET {changes}"),
    Transition(FINISHED, JobEvent.CLIENT_SET_OTHER, JobState.REOPENED, "GET {changes}"),
    Transition(FINISHED, JobEvent.CLIENT_SET_CLOSED, JobState.CLOSED, "GET {changes}"),
    Transition(ANY, JobEvent.CLIENT_CHANGED_ROW, note="GET {changes}"),
    Transition(ANY, JobEvent.CLIENT_DELETED_ROW, note="GET {changes}"),
    # Our writes, and statuses that the client wrote before we could.
    Transition(UNDER_WAY, JobEvent.OPENED_WRITTEN, JobState.OPENED, "PUT Job_status OPENED"),
    Transition(FINISHED, JobEvent.OPENED_WRITTEN, JobState.REOPENED, "PUT Job_status OPENED"),
    Transition(ANY, JobEvent.PAID_WRITTEN, None, "PUT Job_status {status}", "paid_written_at"),
    Transition(ANY, JobEvent.PAID_FOUND, stamp="paid_written_at"),
    Transition(ANY, JobEvent.CLOSED_WRITTEN, JobState.CLOSED, "PUT Job_status CLOSED", "closed_at"),
    Transition(ANY, JobEvent.CLOSED_FOUND, JobState.CLOSED, stamp="closed_at"),
    # A person's decision about a job on hold.
    Transition(ANY, JobEvent.RELEASED, tasks=(SendSms(SmsKind.COURTESY),)),
    Transition(ANY, JobEvent.RELEASED_SILENTLY, tasks=(SuppressSms(SmsKind.COURTESY),)),
    # Payments may come at any time.
    Transition(
        ANY, JobEvent.PAYMENT_RECEIVED, None, "EVENT payment {reference} received", "paid_at"
    ),
    Transition(ANY, JobEvent.PART_CHANGED),
    Transition(ANY, JobEvent.SMS_CHANGED),
    Transition(ANY, JobEvent.MESSAGE_RECEIVED, note="EVENT inbound SMS received"),
    Transition(ANY, JobEvent.FLAG_SEEN, note="EVENT seen by a person: {flag}"),
    Transition(ANY, JobEvent.TASK_FAILED),
    Transition(ANY, JobEvent.TASK_RETRIED, note="EVENT {kind} task retried by hand"),
)


def is_paid(job: Job) -> bool:
    return job.paid_at is not None


def is_not_on_hold(job: Job) -> bool:
    return not job.is_on_hold


def paid_status_is_not_written(job: Job) -> bool:
    return job.paid_written_at is None


class DueTask(NamedTuple):
    """A task that jobs in these states require, if all conditions hold."""

    states: tuple[JobState, ...]
    task: Task
    conditions: tuple[Callable[[Job], bool], ...] = ()


# Evaluated after every event, so the order of events does not matter. Nothing is due while the
# client's row is missing.
DUE_TASKS = (
    DueTask((JobState.NEW,), SendSms(SmsKind.COURTESY), (is_not_on_hold,)),
    DueTask((JobState.NEW,), WriteStatus(JobStatus.OPENED, after=SmsKind.COURTESY)),
    DueTask(
        (JobState.OPENED, JobState.IN_PROGRESS, JobState.COMPLETED),
        WritePaidStatus(),
        (is_paid, paid_status_is_not_written),
    ),
    DueTask((JobState.COMPLETED, JobState.CLOSED_BY_CLIENT), SendSms(SmsKind.FEEDBACK), (is_paid,)),
    DueTask(
        (JobState.COMPLETED, JobState.CLOSED_BY_CLIENT),
        WriteStatus(JobStatus.CLOSED, after=SmsKind.FEEDBACK),
        (is_paid,),
    ),
)

_BY_STATE_AND_EVENT: Mapping[tuple[str, JobEvent], Transition] = {
    (source.value, row.event): row for row in TRANSITIONS for source in row.sources
}


# --- Application of the tables -------------------------------------------------------------------


def advance(job: Job, event: JobEvent, *, at: datetime, **details: str) -> None:
    """Apply an event to a locked job.

    Save the job with all fields that the caller changed, write the ledger line, and enqueue the
    document and all tasks that are due. A task that exists already is not enqueued again.
    """
    transition = _BY_STATE_AND_EVENT[job.state, event]
    job.state = transition.target or job.state
    if transition.stamp and getattr(job, transition.stamp) is None:
        setattr(job, transition.stamp, at)
    job.version += 1
    job.save()
    if transition.note:
        JobTransaction.objects.record(job, transition.note.format(**details), at=at)
    # The document has changed, so a dead letter may succeed now.
    OutboxTask.objects.enqueue(job, OutboxKind.DOCUMENT, revive=True)
    for task in (*transition.tasks, *due_tasks(job)):
        _enqueue(task, job, at=at)
    drop_outdated_acknowledgements(job)


def due_tasks(job: Job) -> Iterable[Task]:
    """Return all tasks that the job's state requires. Some may be enqueued already."""
    if job.is_missing:
        return []
    return [
        due.task
        for due in DUE_TASKS
        if job.state in due.states and all(condition(job) for condition in due.conditions)
    ]


def advance_sms(sms: Sms, event: SmsEvent, *, job: Job, at: datetime, reason: str = "") -> bool:
    """Apply an event to a locked SMS, and advance its locked job.

    Return False if the event does not change an SMS in this state.
    """
    transition = sms_states.apply_event(sms, event, job=job, at=at, reason=reason)
    if transition and transition.affects_job:
        advance(job, JobEvent.SMS_CHANGED, at=at)
    return transition is not None


def start_jobs(jobs: list[Job], *, at: datetime) -> None:
    """Store imported jobs, with their ledger lines and tasks, in a few queries."""
    Job.objects.bulk_create(jobs)
    JobTransaction.objects.record_many(jobs, IMPORT.note, at=at)
    OutboxTask.objects.enqueue_many(OutboxKind.DOCUMENT, dict.fromkeys(jobs, ""))
    drafts = {
        job: draft_automatic_sms(SmsKind.COURTESY, job, at=at)
        for job in jobs
        if is_not_on_hold(job)
    }
    opted_out = OptOut.objects.among({sms.recipient for sms in drafts.values()})
    reachable = {job: sms for job, sms in drafts.items() if sms.recipient not in {"", *opted_out}}
    Sms.objects.bulk_create(list(reachable.values()))
    OutboxTask.objects.enqueue_many(
        OutboxKind.SMS, {job: str(sms.reference) for job, sms in reachable.items()}
    )
    for job in [job for job in drafts if job not in reachable]:
        for task in due_tasks(job):
            _enqueue(task, job, at=at)


def _enqueue(task: Task, job: Job, *, at: datetime) -> None:
    match task:
        case SendSms(kind):
            _send_sms(kind, job, at=at)
        case SuppressSms(kind):
            sms = draft_automatic_sms(kind, job, at=at)
            sms_states.apply_event(sms, SmsEvent.RELEASED_SILENTLY, job=job, at=at)
        case WriteStatus(status, after):
            _write_status(status, after, job)
        case WritePaidStatus() if settings.CLIENT_PAID_STATUS:
            paid_status = normalize_status(settings.CLIENT_PAID_STATUS)
            OutboxTask.objects.enqueue(job, OutboxKind.STATUS, paid_status)


def _send_sms(kind: SmsKind, job: Job, *, at: datetime) -> None:
    if Sms.objects.automatic(kind, job):
        return
    sms = draft_automatic_sms(kind, job, at=at)
    if event := sms_states.why_unreachable(sms):
        sms_states.apply_event(sms, event, job=job, at=at)
    else:
        sms.save()
        OutboxTask.objects.enqueue(job, OutboxKind.SMS, str(sms.reference))


def _write_status(status: JobStatus, after: SmsKind, job: Job) -> None:
    sms = Sms.objects.automatic(after, job)
    if sms and sms.is_resolved:
        OutboxTask.objects.enqueue(job, OutboxKind.STATUS, status)
        # The task may be waiting since the SMS became UNKNOWN.
        OutboxTask.objects.unclaimed(job, OutboxKind.STATUS, status).retry()
    elif sms and sms.state == SmsState.UNKNOWN:
        delay = settings.SMS_UNKNOWN_TIMEOUT
        OutboxTask.objects.enqueue(job, OutboxKind.STATUS, status, delay=delay)
