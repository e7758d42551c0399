"""SMS to customers: each attempt on record before it is made, each outcome after."""

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from repairjobs.models import (
    OPEN_STATES,
    Errand,
    ErrandKind,
    Job,
    Sms,
    SmsKind,
    SmsState,
)
from repairjobs.services.jobs import change, locked_job
from repairjobs.services.owing import address, carry_on, draft, note_sms
from repairjobs.transactions import in_transaction


class CannotText(Exception):
    """The job's customer cannot be texted; says why."""


@in_transaction
def send_private_message(*, job_id: int, text: str, at: datetime) -> Sms:
    """Owe the customer an SMS in the desk's own words.

    :raises UnknownJob:
    :raises CannotText: if there is no textable number, or one that opted out.
    """
    job = locked_job(job_id)
    sms = draft(SmsKind.PRIVATE, job, at=at, text=text)
    if not address(sms, job):
        raise CannotText(sms.reason)
    sms.save()
    Errand.objects.owe(job, ErrandKind.SMS, str(sms.reference))
    return sms


@in_transaction
def begin_attempt(errand: Errand, *, at: datetime) -> Sms | None:
    """Put on record that the errand's SMS is being sent; to be called before it is.

    Return the SMS to send; None if there is nothing to send any more.
    """
    job = Job.objects.locked(errand.job_id)
    if not Errand.objects.held(errand).exists():
        return None
    sms = Sms.objects.select_for_update().get(reference=UUID(errand.subject))
    if sms.state == SmsState.SENDING:
        # Whoever put this on record died, or forgot to tell.
        _doubt(sms, job, "the worker that sent it was lost", at=at)
    if sms.state == SmsState.QUEUED:
        if address(sms, job):
            sms.state = SmsState.SENDING
            sms.attempts += 1
            sms.attempted_at = at
            sms.save()
            return sms
        settle(sms, job, f"not sent: {sms.reason}", at=at)
    Errand.objects.held(errand).delete()
    return None


@in_transaction
def record_accepted(attempt: Sms, *, message_uuid: str, at: datetime) -> None:
    """The SMS of this attempt was accepted under this id."""
    job, sms = locked_sms(attempt)
    sms.message_uuid = message_uuid[:64]
    if sms.state in OPEN_STATES:
        sms.state, sms.reason = SmsState.ACCEPTED, ""
        settle(sms, job, "accepted", at=at)
    sms.save()
    _sms_errands(sms).delete()


@in_transaction
def record_refused(attempt: Sms, *, reason: str, at: datetime) -> None:
    """The SMS of this attempt was refused for good."""
    job, sms = locked_sms(attempt)
    if sms.state in OPEN_STATES:
        sms.state, sms.reason = SmsState.FAILED, reason[:255]
        settle(sms, job, f"refused: {reason}", at=at)
    _sms_errands(sms).delete()


@in_transaction
def record_not_sent(attempt: Sms) -> bool:
    """The SMS of this attempt did not leave. Return whether it may be tried again."""
    _, sms = locked_sms(attempt)
    if sms.state != SmsState.SENDING or sms.attempts != attempt.attempts:
        return False
    sms.state = SmsState.QUEUED
    sms.save(update_fields=["state"])
    return True


@in_transaction
def record_unknown(attempt: Sms, *, reason: str, at: datetime) -> None:
    """Nobody can tell whether the SMS of this attempt left: it is not sent again by itself."""
    job, sms = locked_sms(attempt)
    if sms.state == SmsState.SENDING:
        _doubt(sms, job, reason, at=at)
    _sms_errands(sms).delete()


@in_transaction
def settle_sms(sms: Sms, *, was_sent: bool, at: datetime) -> bool:
    """Say what became of an SMS that may have been sent; one that was not is sent again.

    Return whether there was anything to settle.
    """
    job, sms = locked_sms(sms)
    if sms.state != SmsState.UNKNOWN:
        return False
    if was_sent:
        sms.state, sms.reason = SmsState.ACCEPTED, "settled by hand"
        settle(sms, job, "accepted, as settled by hand", at=at)
    else:
        sms.state, sms.reason = SmsState.QUEUED, ""
        sms.save()
        note_sms(sms, job, "settled by hand: it did not leave, and is sent again", at=at)
        change(job)
        Errand.objects.owe(job, ErrandKind.SMS, str(sms.reference))
    return True


def locked_sms(sms: Sms) -> tuple[Job, Sms]:
    assert sms.job_id is not None
    job = Job.objects.locked(sms.job_id)
    return job, Sms.objects.select_for_update().get(pk=sms.pk)


def _sms_errands(sms: Sms) -> QuerySet[Errand]:
    assert sms.job_id is not None
    # By job, as the index has it: a search by kind alone would wait for other workers' rows.
    subject = str(sms.reference)
    return Errand.objects.filter(job_id=sms.job_id, kind=ErrandKind.SMS, subject=subject)


def _doubt(sms: Sms, job: Job, reason: str, *, at: datetime) -> None:
    sms.state, sms.reason = SmsState.UNKNOWN, reason[:255]
    sms.save()
    change(job)
    carry_on(job, at=at)


def settle(sms: Sms, job: Job, what: str, *, at: datetime) -> None:
    sms.save()
    note_sms(sms, job, what, at=at)
    change(job)
    carry_on(job, at=at)
