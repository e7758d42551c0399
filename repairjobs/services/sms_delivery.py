"""Delivery of SMS. Each attempt is stored before the request, and its outcome after it."""

from datetime import datetime
from uuid import UUID

from common.db.transactions import atomic_with_retry
from repairjobs.integrations.phone_numbers import normalize_number
from repairjobs.models import Job, OutboxKind, OutboxTask, Sms, SmsState
from repairjobs.services.sms_states import SmsEvent, why_unreachable
from repairjobs.services.workflow import advance_sms


@atomic_with_retry(using="repairjobs")
def begin_attempt(task: OutboxTask, *, at: datetime) -> Sms | None:
    """Record that the task's SMS is about to be sent.

    Return the SMS to send, or None if it must not be sent.
    """
    job = Job.objects.locked(task.job_id)
    if not OutboxTask.objects.claimed_by(task).exists():
        return None
    sms = Sms.objects.locked(reference=UUID(task.subject))
    if sms.state == SmsState.SENDING:
        reason = "the worker that was sending it died"
        advance_sms(sms, SmsEvent.OUTCOME_UNKNOWN, job=job, at=at, reason=reason)
    if sms.state == SmsState.QUEUED:
        # The client may have corrected the number since the SMS was queued.
        sms.recipient = normalize_number(job.mobile) or ""
        if event := why_unreachable(sms):
            advance_sms(sms, event, job=job, at=at)
        else:
            sms.attempts += 1
            sms.attempted_at = at
            advance_sms(sms, SmsEvent.ATTEMPT_STARTED, job=job, at=at)
            return sms
    OutboxTask.objects.claimed_by(task).delete()
    return None


@atomic_with_retry(using="repairjobs")
def record_accepted(attempt: Sms, *, message_uuid: str, at: datetime) -> None:
    """Record that the provider accepted the SMS under this id."""
    job, sms = lock_sms(attempt)
    sms.message_uuid = message_uuid[:64]
    sms.save(update_fields=["message_uuid"])
    advance_sms(sms, SmsEvent.ACCEPTED, job=job, at=at)
    _delete_task(sms)


@atomic_with_retry(using="repairjobs")
def record_refused(attempt: Sms, *, reason: str, at: datetime) -> None:
    """Record that the provider rejected the SMS permanently."""
    job, sms = lock_sms(attempt)
    advance_sms(sms, SmsEvent.REFUSED, job=job, at=at, reason=reason)
    _delete_task(sms)


@atomic_with_retry(using="repairjobs")
def record_not_sent(attempt: Sms, *, at: datetime) -> bool:
    """Record that this attempt did not send the SMS. Return whether to try again."""
    job, sms = lock_sms(attempt)
    if sms.attempts != attempt.attempts:
        return False
    return advance_sms(sms, SmsEvent.NOT_SENT, job=job, at=at)


@atomic_with_retry(using="repairjobs")
def record_unknown(attempt: Sms, *, reason: str, at: datetime) -> None:
    """Record that this attempt perhaps sent the SMS. It is not sent again automatically."""
    job, sms = lock_sms(attempt)
    advance_sms(sms, SmsEvent.OUTCOME_UNKNOWN, job=job, at=at, reason=reason)
    _delete_task(sms)


@atomic_with_retry(using="repairjobs")
def resolve_sms(sms: Sms, *, was_sent: bool, at: datetime) -> bool:
    """Record a person's decision about an UNKNOWN SMS. If it was not sent, send it again.

    Return False if the SMS is not UNKNOWN.
    """
    job, sms = lock_sms(sms)
    event = SmsEvent.RESOLVED_AS_SENT if was_sent else SmsEvent.RESOLVED_AS_NOT_SENT
    return advance_sms(sms, event, job=job, at=at)


def lock_sms(sms: Sms) -> tuple[Job, Sms]:
    """Return the job of an SMS and the SMS, both locked until the transaction ends."""
    assert sms.job_id is not None
    # Always the job first, so that two transactions cannot deadlock.
    return Job.objects.locked(sms.job_id), Sms.objects.locked(pk=sms.pk)


def _delete_task(sms: Sms) -> None:
    assert sms.job_id is not None
    OutboxTask.objects.about(sms.job_id, OutboxKind.SMS, str(sms.reference)).delete()
