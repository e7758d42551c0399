"""SMS before they are sent: text, sender, recipient."""

from datetime import datetime

from django.conf import settings
from django.template.loader import render_to_string

from repairjobs.integrations.phone_numbers import normalize_number
from repairjobs.integrations.sms.segments import count_segments
from repairjobs.models import Job, OptOut, Sms, SmsKind, SmsState

NO_NUMBER = "the number cannot be texted"
OPTED_OUT = "the number has opted out"


def write_sms(kind: SmsKind, job: Job, *, at: datetime, text: str | None = None) -> Sms:
    """Return a new SMS about the job, unsaved and without a recipient."""
    if text is None:
        text = render_to_string(f"repairjobs/{kind}.txt", {"job": job}).strip()
    return Sms(
        job=job,
        kind=kind,
        state=SmsState.QUEUED,
        sender=settings.VONAGE_FROM,
        text=text,
        segments=count_segments(text),
        created_at=at,
    )


def suppress_if_unreachable(sms: Sms, job: Job) -> bool:
    """Put the customer's current number on an SMS, or suppress it. Return whether it is suppressed.

    It is suppressed if the number cannot be texted or has opted out.
    """
    number = normalize_number(job.mobile)
    sms.recipient = number or ""
    if number and not OptOut.objects.includes(number):
        return False
    sms.state = SmsState.SUPPRESSED
    sms.reason = OPTED_OUT if number else NO_NUMBER
    sms.needs_attention = number is None
    return True
