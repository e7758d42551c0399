"""How a job goes on: the SMS and statuses that its state makes due, each once."""

from datetime import datetime

from django.conf import settings

from repairjobs.models import (
    Job,
    JobStatus,
    JobTransaction,
    OutboxKind,
    OutboxTask,
    Sms,
    SmsKind,
    SmsState,
    normalize_status,
)
from repairjobs.services.attention import drop_outdated_acknowledgements
from repairjobs.services.sms_texts import suppress_if_unreachable, write_sms


class UnknownJob(Exception):
    """The job was never imported."""

    def __init__(self, job_id: int) -> None:
        super().__init__(f"job {job_id} is unknown")


def locked_job(job_id: int) -> Job:
    """Return the job, locked until the caller's transaction ends.

    :raises UnknownJob:
    """
    try:
        return Job.objects.locked(job_id)
    except Job.DoesNotExist as error:
        raise UnknownJob(job_id) from error


def change(job: Job, *fields: str) -> None:
    """Save fields of the locked job and enqueue its document."""
    job.version += 1
    job.save(update_fields=[*fields, "version"])
    # The document has changed, so that a dead letter deserves a retry.
    OutboxTask.objects.enqueue(job, OutboxKind.DOCUMENT, revive=True)
    drop_outdated_acknowledgements(job)


def advance(job: Job, *, at: datetime) -> None:
    """Enqueue everything that the locked job's state makes due; each task only once."""
    if job.is_missing or job.closed_at:
        return
    if job.status == JobStatus.NEW:
        courtesy = Sms.objects.with_key(automatic_key(SmsKind.COURTESY, job))
        if courtesy:
            _enqueue_status_after(courtesy, job, JobStatus.OPENED)
    if job.needs_paid_status and settings.CLIENT_PAID_STATUS:
        OutboxTask.objects.enqueue(
            job, OutboxKind.STATUS, normalize_status(settings.CLIENT_PAID_STATUS)
        )
    if job.paid_at and job.is_completed:
        feedback = _automatic_sms(SmsKind.FEEDBACK, job, at=at)
        _enqueue_status_after(feedback, job, JobStatus.CLOSED)


def _enqueue_status_after(sms: Sms, job: Job, status: JobStatus) -> None:
    """Enqueue a write to the client once the SMS before it is resolved."""
    if sms.is_resolved:
        OutboxTask.objects.enqueue(job, OutboxKind.STATUS, status)
        OutboxTask.objects.unclaimed(job, OutboxKind.STATUS, status).retry()
    elif sms.state == SmsState.UNKNOWN:
        delay = settings.SMS_UNKNOWN_TIMEOUT
        OutboxTask.objects.enqueue(job, OutboxKind.STATUS, status, delay=delay)


def enqueue_courtesy_sms(job: Job, *, at: datetime) -> None:
    _automatic_sms(SmsKind.COURTESY, job, at=at)
    advance(job, at=at)


def suppress_courtesy_sms(job: Job, *, at: datetime) -> None:
    sms = write_sms(SmsKind.COURTESY, job, at=at)
    sms.idempotency_key = automatic_key(SmsKind.COURTESY, job)
    sms.state, sms.reason = SmsState.SUPPRESSED, "released without a text"
    sms.save()
    record_sms_event(sms, job, f"not sent: {sms.reason}", at=at)
    advance(job, at=at)


def _automatic_sms(kind: SmsKind, job: Job, *, at: datetime) -> Sms:
    """Return the job's one SMS of this kind; a new one is enqueued, or suppressed at once."""
    sms = Sms.objects.with_key(automatic_key(kind, job))
    if sms is None:
        sms = write_sms(kind, job, at=at)
        sms.idempotency_key = automatic_key(kind, job)
        is_suppressed = suppress_if_unreachable(sms, job)
        sms.save()
        if is_suppressed:
            record_sms_event(sms, job, f"not sent: {sms.reason}", at=at)
            change(job)
        else:
            OutboxTask.objects.enqueue(job, OutboxKind.SMS, str(sms.reference))
    return sms


def automatic_key(kind: SmsKind, job: Job) -> str:
    """Return the idempotency key of a job's only SMS of this kind."""
    return f"{kind}:{job.pk}"


def record_sms_event(sms: Sms, job: Job, event: str, *, at: datetime) -> None:
    JobTransaction.objects.record(job, f"EVENT {sms.kind} SMS {event}", at=at)
