"""Webhooks of SMS providers: delivery receipts, and messages from customers."""

import hashlib
from datetime import datetime
from uuid import UUID

from common.db.transactions import atomic_with_retry
from repairjobs.integrations.phone_numbers import normalize_number
from repairjobs.integrations.sms.base import InboundMessage, Receipt
from repairjobs.integrations.sms.segments import count_segments
from repairjobs.models import (
    DeliveryReceipt,
    DeliveryState,
    Job,
    OptOut,
    Sms,
    SmsKind,
    SmsState,
)
from repairjobs.services.sms_delivery import lock_sms
from repairjobs.services.sms_states import SmsEvent
from repairjobs.services.workflow import JobEvent, advance, advance_sms

RECEIPT_EVENTS = {
    DeliveryState.ACCEPTED.value: SmsEvent.RECEIPT_ACCEPTED,
    DeliveryState.REJECTED.value: SmsEvent.RECEIPT_REJECTED,
    DeliveryState.NOT_DELIVERED.value: SmsEvent.RECEIPT_NOT_DELIVERED,
    DeliveryState.DELIVERED.value: SmsEvent.RECEIPT_DELIVERED,
}


def record_delivery_receipt(receipt: Receipt, *, at: datetime) -> bool:
    """Store a receipt about an SMS and advance the SMS. A repeated receipt changes nothing.

    Return False if we do not know the SMS.
    """
    content = f"{receipt.message_uuid} {receipt.reference} {receipt.status}"
    # Stored before the query for the SMS: if the SMS is accepted meanwhile, the worker applies it.
    stored, _ = DeliveryReceipt.objects.get_or_create(
        digest=hashlib.sha256(content.encode()).hexdigest(),
        defaults={
            "message_uuid": receipt.message_uuid,
            "reference": receipt.reference,
            "status": receipt.status,
            "state": receipt.state or "",
            "reason": receipt.reason,
            "received_at": at,
        },
    )
    sms = Sms.objects.sent_as(
        reference=_parse_uuid(receipt.reference), message_uuid=receipt.message_uuid
    )
    if sms is None:
        return False
    _apply_receipt(stored, sms, at=at)
    return True


def apply_early_receipts(sms: Sms, *, message_uuid: str, at: datetime) -> None:
    """Apply the receipts that came before we knew the provider's id of the SMS."""
    for receipt in DeliveryReceipt.objects.about(message_uuid):
        _apply_receipt(receipt, sms, at=at)


def _parse_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@atomic_with_retry(using="repairjobs")
def _apply_receipt(receipt: DeliveryReceipt, sms: Sms, *, at: datetime) -> None:
    event = RECEIPT_EVENTS.get(receipt.state)
    if event is None:
        return
    job, sms = lock_sms(sms)
    sms.message_uuid = sms.message_uuid or receipt.message_uuid
    advance_sms(sms, event, job=job, at=at, reason=receipt.reason)


@atomic_with_retry(using="repairjobs")
def receive_message(message: InboundMessage, *, at: datetime) -> bool:
    """Store a customer's SMS, for the job of the last SMS to this customer. Apply STOP and START.

    Return False if this message was stored before.
    """
    number = normalize_number(f"+{message.sender.removeprefix('+')}") or message.sender
    last = Sms.objects.last_sent_to(number)
    job = Job.objects.locked(last.job_id) if last and last.job_id is not None else None
    _, is_new = Sms.objects.get_or_create(
        idempotency_key=f"{SmsKind.INBOUND}:{message.message_uuid}",
        defaults={
            "job": job,
            "kind": SmsKind.INBOUND,
            "state": SmsState.RECEIVED,
            "message_uuid": message.message_uuid,
            "sender": number,
            "recipient": message.recipient,
            "text": message.text,
            "segments": count_segments(message.text),
            "created_at": at,
        },
    )
    if is_new:
        _apply_opt_out(message.text, number, at=at)
    if is_new and job:
        advance(job, JobEvent.MESSAGE_RECEIVED, at=at)
    return is_new


def _apply_opt_out(text: str, number: str, *, at: datetime) -> None:
    keyword = text.strip().upper()
    if keyword == "STOP":
        OptOut.objects.get_or_create(number=number, defaults={"since": at})
    elif keyword == "START":
        OptOut.objects.remove(number)
