"""New SMS: text, sender, recipient."""

from datetime import datetime

from django.template.loader import render_to_string

from repairjobs.integrations.phone_numbers import normalize_number
from repairjobs.integrations.sms import sms_provider
from repairjobs.integrations.sms.segments import count_segments
from repairjobs.models import Job, Sms, SmsKind, SmsState, automatic_key


def draft_sms(kind: SmsKind, job: Job, *, at: datetime, text: str | None = None) -> Sms:
    """Return a new SMS to the job's customer, not saved. By default the text is a template."""
    if text is None:
        text = render_to_string(f"repairjobs/{kind}.txt", {"job": job}).strip()
    return Sms(
        job=job,
        kind=kind,
        state=SmsState.QUEUED,
        sender=sms_provider().sender,
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
