"""What Vonage tells: reports about our SMS, and SMS from customers."""

import hashlib
from datetime import datetime
from uuid import UUID

from repairjobs import sms as carrier
from repairjobs.models import (
    REPORTED,
    STATE_RANKS,
    DeliveryReport,
    Job,
    JobTransaction,
    OptOut,
    Sms,
    SmsKind,
    SmsState,
)
from repairjobs.services.jobs import change
from repairjobs.services.texting import locked_sms, settle
from repairjobs.transactions import in_transaction


def record_delivery(
    *, message_uuid: str, reference: str, status: str, reason: str, at: datetime
) -> bool:
    """Keep a report about an SMS and move its state on, once however often it comes.

    Return whether it is about an SMS that we know by now.
    """
    digest = hashlib.sha256(f"{message_uuid} {reference} {status}".encode()).hexdigest()
    # Kept before the SMS is looked for: one that is accepted meanwhile looks for its reports.
    report, _ = DeliveryReport.objects.get_or_create(
        digest=digest,
        defaults={
            "message_uuid": message_uuid,
            "reference": reference,
            "status": status,
            "reason": reason,
            "received_at": at,
        },
    )
    found = Sms.objects.exclude(kind=SmsKind.INBOUND)
    ours = _uuid(reference)
    sms = found.filter(reference=ours).first() if ours else None
    sms = sms or found.filter(message_uuid=message_uuid).first()
    if sms is None:
        return False
    _apply_report(report, sms, at=at)
    return True


def join_reports(sms: Sms, *, message_uuid: str, at: datetime) -> None:
    """Apply the reports that came before we knew the SMS by Vonage's id."""
    for report in DeliveryReport.objects.filter(message_uuid=message_uuid):
        _apply_report(report, sms, at=at)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@in_transaction
def _apply_report(report: DeliveryReport, sms: Sms, *, at: datetime) -> None:
    state = REPORTED.get(report.status)
    job, sms = locked_sms(sms)
    if state is None or STATE_RANKS[state] <= STATE_RANKS[sms.state]:
        return
    was_open = not sms.is_settled
    sms.state, sms.reason = state, report.reason
    sms.message_uuid = sms.message_uuid or report.message_uuid
    if state == SmsState.FAILED:
        settle(sms, job, report.status, at=at)
    elif was_open:
        settle(sms, job, f"accepted: {report.status}", at=at)
    else:
        sms.save()
        change(job)


@in_transaction
def receive_sms(*, message_uuid: str, sender: str, recipient: str, text: str, at: datetime) -> bool:
    """Keep an SMS from an end-user with the job last texted to that number; STOP opts it out.

    Return False if this very SMS was kept before.
    """
    number = carrier.normalised(f"+{sender.removeprefix('+')}") or sender
    sent = Sms.objects.filter(recipient=number, attempted_at__isnull=False)
    last = sent.order_by("-attempted_at", "-pk").first()
    job = Job.objects.locked(last.job_id) if last and last.job_id is not None else None
    _, is_new = Sms.objects.get_or_create(
        once=f"{SmsKind.INBOUND}:{message_uuid}",
        defaults={
            "job": job,
            "kind": SmsKind.INBOUND,
            "state": SmsState.RECEIVED,
            "message_uuid": message_uuid,
            "sender": number,
            "recipient": recipient,
            "text": text,
            "segments": carrier.segments(text),
            "created_at": at,
        },
    )
    if is_new:
        _heed(text, number, at=at)
    if is_new and job:
        JobTransaction.objects.note(job, "EVENT inbound SMS received", at=at)
    return is_new


def _heed(text: str, number: str, *, at: datetime) -> None:
    word = text.strip().upper()
    if word == "STOP":
        OptOut.objects.get_or_create(number=number, defaults={"since": at})
    elif word == "START":
        OptOut.objects.filter(number=number).delete()
