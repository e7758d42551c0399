"""SMS to customers: every attempt is stored before it is made, every outcome after it."""

from datetime import datetime
from uuid import UUID

from common.db.transactions import atomic_with_retry
from repairjobs.models import (
    UNRESOLVED_STATES,
    Job,
    OutboxKind,
    OutboxTask,
    Sms,
    SmsState,
)
from repairjobs.models.outbox import OutboxTaskQuerySet
from repairjobs.services.sms_texts import suppress_if_unreachable
from repairjobs.services.workflow import advance, change, record_sms_event


@atomic_with_retry(using="repairjobs")
def begin_attempt(task: OutboxTask, *, at: datetime) -> Sms | None:
    """Put on record that the task's SMS is being sent; to be called before it is.

    Return the SMS to send; None if there is nothing to send any more.
    """
    job = Job.objects.locked(task.job_id)
    if not OutboxTask.objects.claimed_by(task).exists():
        return None
    sms = Sms.objects.select_for_update().get(reference=UUID(task.subject))
    if sms.state == SmsState.SENDING:
        # Whoever put this on record died, or forgot to tell.
        _mark_unknown(sms, job, "the worker that sent it was lost", at=at)
    if sms.state == SmsState.QUEUED:
        if not suppress_if_unreachable(sms, job):
            sms.state = SmsState.SENDING
            sms.attempts += 1
            sms.attempted_at = at
            sms.save()
            return sms
        resolve(sms, job, f"not sent: {sms.reason}", at=at)
    OutboxTask.objects.claimed_by(task).delete()
    return None


@atomic_with_retry(using="repairjobs")
def record_accepted(attempt: Sms, *, message_uuid: str, at: datetime) -> None:
    """The SMS of this attempt was accepted under this id."""
    job, sms = locked_sms(attempt)
    sms.message_uuid = message_uuid[:64]
    if sms.state in UNRESOLVED_STATES:
        sms.state, sms.reason = SmsState.ACCEPTED, ""
        resolve(sms, job, "accepted", at=at)
    sms.save()
    _tasks_of(sms).delete()


@atomic_with_retry(using="repairjobs")
def record_refused(attempt: Sms, *, reason: str, at: datetime) -> None:
    """The SMS of this attempt was refused for good."""
    job, sms = locked_sms(attempt)
    if sms.state in UNRESOLVED_STATES:
        sms.state, sms.reason = SmsState.FAILED, reason[:255]
        resolve(sms, job, f"refused: {reason}", at=at)
    _tasks_of(sms).delete()


@atomic_with_retry(using="repairjobs")
def record_not_sent(attempt: Sms) -> bool:
    """The SMS of this attempt did not leave. Return whether it may be tried again."""
    _, sms = locked_sms(attempt)
    if sms.state != SmsState.SENDING or sms.attempts != attempt.attempts:
        return False
    sms.state = SmsState.QUEUED
    sms.save(update_fields=["state"])
    return True


@atomic_with_retry(using="repairjobs")
def record_unknown(attempt: Sms, *, reason: str, at: datetime) -> None:
    """Nobody can tell whether the SMS of this attempt left: it is not sent again by itself."""
    job, sms = locked_sms(attempt)
    if sms.state == SmsState.SENDING:
        _mark_unknown(sms, job, reason, at=at)
    _tasks_of(sms).delete()


@atomic_with_retry(using="repairjobs")
def resolve_sms(sms: Sms, *, was_sent: bool, at: datetime) -> bool:
    """Say what became of an SMS that may have been sent; one that was not is sent again.

    Return whether there was anything to settle.
    """
    job, sms = locked_sms(sms)
    if sms.state != SmsState.UNKNOWN:
        return False
    if was_sent:
        sms.state, sms.reason = SmsState.ACCEPTED, "settled by hand"
        resolve(sms, job, "accepted, as settled by hand", at=at)
    else:
        sms.state, sms.reason = SmsState.QUEUED, ""
        sms.save()
        record_sms_event(sms, job, "settled by hand: it did not leave, and is sent again", at=at)
        change(job)
        OutboxTask.objects.enqueue(job, OutboxKind.SMS, str(sms.reference))
    return True


def locked_sms(sms: Sms) -> tuple[Job, Sms]:
    assert sms.job_id is not None
    job = Job.objects.locked(sms.job_id)
    return job, Sms.objects.select_for_update().get(pk=sms.pk)


def _tasks_of(sms: Sms) -> OutboxTaskQuerySet:
    assert sms.job_id is not None
    return OutboxTask.objects.about(sms.job_id, OutboxKind.SMS, str(sms.reference))


def _mark_unknown(sms: Sms, job: Job, reason: str, *, at: datetime) -> None:
    sms.state, sms.reason = SmsState.UNKNOWN, reason[:255]
    sms.save()
    change(job)
    advance(job, at=at)


def resolve(sms: Sms, job: Job, what: str, *, at: datetime) -> None:
    sms.save()
    record_sms_event(sms, job, what, at=at)
    change(job)
    advance(job, at=at)
