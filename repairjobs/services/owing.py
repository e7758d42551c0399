"""What a job's state makes due: its texts, the client's statuses; each owed once."""

from collections.abc import Collection
from datetime import datetime

from django.conf import settings

from repairjobs import sms as carrier
from repairjobs.models import (
    Errand,
    ErrandKind,
    Job,
    JobStatus,
    JobTransaction,
    OptOut,
    Sms,
    SmsKind,
    SmsState,
    plain_status,
)
from repairjobs.rendering import text_of
from repairjobs.services.jobs import change

NO_NUMBER = "the number cannot be texted"
OPTED_OUT = "the number has opted out"


def carry_on(job: Job, *, at: datetime) -> None:
    """Owe whatever the locked job's state makes due; owed once, however often this looks."""
    if job.is_missing or job.closed_at:
        return
    if job.status == JobStatus.NEW:
        courtesy = Sms.objects.filter(once=_once(SmsKind.COURTESY, job)).first()
        if courtesy:
            _owe_status_after(courtesy, job, JobStatus.OPENED)
    if job.owes_paid_status and settings.CLIENT_PAID_STATUS:
        Errand.objects.owe(job, ErrandKind.STATUS, plain_status(settings.CLIENT_PAID_STATUS))
    if job.paid_at and job.is_completed:
        feedback = _owe_one_sms(SmsKind.FEEDBACK, job, at=at)
        _owe_status_after(feedback, job, JobStatus.CLOSED)


def _owe_status_after(sms: Sms, job: Job, status: JobStatus) -> None:
    """Owe a write to the client, from when the SMS before it is settled."""
    if sms.is_settled:
        Errand.objects.owe(job, ErrandKind.STATUS, status)
        waiting = job.errands.filter(kind=ErrandKind.STATUS, subject=status, claim=None)
        waiting.filter(due_at__isnull=False).retry()
    elif sms.state == SmsState.UNKNOWN:
        after = settings.SMS_UNKNOWN_TIMEOUT
        Errand.objects.owe(job, ErrandKind.STATUS, status, after=after)


def owe_courtesy(job: Job, *, at: datetime) -> None:
    _owe_one_sms(SmsKind.COURTESY, job, at=at)
    carry_on(job, at=at)


def owe_first_texts(jobs: Collection[Job], *, at: datetime) -> None:
    """Owe the courtesy SMS of jobs that are new to us, all at once."""
    numbers = {job: carrier.normalised(job.mobile) for job in jobs}
    known = OptOut.objects.filter(number__in={number for number in numbers.values() if number})
    opted_out = set(known.values_list("number", flat=True))
    texts = []
    for job, number in numbers.items():
        if number and number not in opted_out:
            sms = draft(SmsKind.COURTESY, job, at=at)
            sms.once, sms.recipient = _once(SmsKind.COURTESY, job), number
            texts.append(sms)
        else:
            owe_courtesy(job, at=at)
    Sms.objects.bulk_create(texts)
    Errand.objects.owe_new(
        ErrandKind.SMS, {sms.job: str(sms.reference) for sms in texts if sms.job}
    )


def withhold_courtesy(job: Job, *, at: datetime) -> None:
    sms = draft(SmsKind.COURTESY, job, at=at)
    sms.once = _once(SmsKind.COURTESY, job)
    sms.state, sms.reason = SmsState.WITHHELD, "adopted in silence"
    sms.save()
    note_sms(sms, job, f"not sent: {sms.reason}", at=at)
    carry_on(job, at=at)


def _owe_one_sms(kind: SmsKind, job: Job, *, at: datetime) -> Sms:
    """The job's one SMS of this kind; owed if it is new, settled at once if it cannot be sent."""
    sms = Sms.objects.filter(once=_once(kind, job)).first()
    if sms is None:
        sms = draft(kind, job, at=at)
        sms.once = _once(kind, job)
        _owe_sms(sms, job, at=at)
    return sms


def _once(kind: SmsKind, job: Job) -> str:
    return f"{kind}:{job.pk}"


def draft(kind: SmsKind, job: Job, *, at: datetime, text: str | None = None) -> Sms:
    text = text or text_of(kind, job)
    return Sms(
        job=job,
        kind=kind,
        state=SmsState.QUEUED,
        sender=settings.VONAGE_FROM,
        text=text,
        segments=carrier.segments(text),
        created_at=at,
    )


def _owe_sms(sms: Sms, job: Job, *, at: datetime) -> None:
    if address(sms, job):
        sms.save()
        Errand.objects.owe(job, ErrandKind.SMS, str(sms.reference))
    else:
        sms.save()
        note_sms(sms, job, f"not sent: {sms.reason}", at=at)
        change(job)


def address(sms: Sms, job: Job) -> bool:
    """Put the customer's number on an SMS; withhold it if there is none, or none that wants it."""
    number = carrier.normalised(job.mobile)
    sms.recipient = number or ""
    if number and not OptOut.objects.filter(number=number).exists():
        return True
    sms.state = SmsState.WITHHELD
    sms.reason = OPTED_OUT if number else NO_NUMBER
    sms.needs_attention = number is None
    return False


def note_sms(sms: Sms, job: Job, what: str, *, at: datetime) -> None:
    JobTransaction.objects.note(job, f"EVENT {sms.kind} SMS {what}", at=at)
