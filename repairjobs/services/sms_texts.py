"""New SMS: text, sender, recipient."""

from datetime import datetime

from django.conf import settings
from django.template.loader import render_to_string

from repairjobs.integrations.phone_numbers import normalize_number
from repairjobs.integrations.sms.segments import count_segments
from repairjobs.models import Job, OptOut, Sms, SmsKind, SmsState
from repairjobs.services.sms_states import SmsEvent


def draft_sms(kind: SmsKind, job: Job, *, at: datetime, text: str | None = None) -> Sms:
    """Return a new SMS to the job's customer, not saved. By default the text is a template."""
    if text is None:
        text = render_to_string(f"repairjobs/{kind}.txt", {"job": job}).strip()
    return Sms(
        job=job,
        kind=kind,
        state=SmsState.QUEUED,
        sender=settings.VONAGE_FROM,
        recipient=normalize_number(job.mobile) or "",
        text=text,
        segments=count_segments(text),
        created_at=at,
    )


def draft_automatic_sms(kind: SmsKind, job: Job, *, at: datetime) -> Sms:
    """Return a job's only SMS of a kind, not saved."""
    sms = draft_sms(kind, job, at=at)
    sms.idempotency_key = automatic_key(kind, job)
    return sms


def automatic_key(kind: SmsKind, job: Job) -> str:
    """Return the idempotency key of a job's only SMS of a kind."""
    return f"{kind}:{job.pk}"


def why_unreachable(sms: Sms) -> SmsEvent | None:
    """Return the event that suppresses the SMS; None if its recipient can be texted."""
    if not sms.recipient:
        return SmsEvent.NO_NUMBER
    return SmsEvent.OPTED_OUT if OptOut.objects.includes(sms.recipient) else None
