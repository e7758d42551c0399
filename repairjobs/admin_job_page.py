"""Everything about one job, for the page that the admin shows of it."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from common.widgets import CanView
from repairjobs.integrations.documents import document_store
from repairjobs.integrations.documents.base import DocumentsUnavailable
from repairjobs.models import Job, JobTransaction, Payment, Sms, SmsKind
from repairjobs.services.attention import flags, unseen_flags
from repairjobs.services.masking import mask, mask_document, mask_number

# Of each kind; a job with more is looked at in the lists.
MAX_SHOWN = 500


class TimelineEntry(NamedTuple):
    """Something that happened to a job."""

    at: datetime
    icon: str
    title: str
    text: str = ""


def page_of(job: Job, *, is_open: bool, can_view: CanView) -> dict[str, Any]:
    """What the page shows, of the models that may be seen; customers only if it is open."""
    unseen = unseen_flags(job)
    seen = [flag for flag in flags(job) if flag not in unseen]
    return {
        "unseen": unseen,
        "seen": seen,
        "document": _document(job, is_open=is_open),
        "timeline": timeline(job, is_open=is_open, can_view=can_view),
        "parts": job.parts.order_by("pk")[:MAX_SHOWN] if can_view("part") else [],
        "outbox_tasks": job.outbox_tasks.order_by("pk")[:MAX_SHOWN]
        if can_view("outboxtask")
        else [],
    }


def _document(job: Job, *, is_open: bool) -> str:
    try:
        document = document_store().get(job.formatted_id)
    except DocumentsUnavailable:
        return "The store of documents is away."
    if document is None:
        return "There is no document yet."
    shown = document if is_open else mask_document(document)
    return json.dumps(shown, indent=2, ensure_ascii=False)


def timeline(job: Job, *, is_open: bool, can_view: CanView) -> list[TimelineEntry]:
    """What happened, oldest first."""
    moments = []
    if can_view("jobtransaction"):
        moments += [_of_line(line) for line in _latest(job.transactions, "created_at")]
    if can_view("payment"):
        moments += [_of_payment(payment) for payment in _latest(job.payments, "received_at")]
    if can_view("sms"):
        moments += [_of_sms(sms, is_open=is_open) for sms in _latest(job.sms, "created_at")]
    return sorted(moments, key=lambda moment: moment.at)


def _latest(rows: Any, by: str) -> Iterator[Any]:
    latest: QuerySet[Any] = rows.order_by(f"-{by}", "-pk")
    return reversed(latest[:MAX_SHOWN])


def _of_line(line: JobTransaction) -> TimelineEntry:
    icon = {"GET": "download", "PUT": "upload"}.get(line.note.partition(" ")[0], "event")
    return TimelineEntry(line.created_at, icon, line.note, f"status {line.status}")


def _of_payment(payment: Payment) -> TimelineEntry:
    title = f"Payment of {payment.amount} {payment.currency}"
    return TimelineEntry(payment.received_at, "payments", title, f"reference {payment.reference}")


def _of_sms(sms: Sms, *, is_open: bool) -> TimelineEntry:
    number: Callable[[str], str] = str if is_open else mask_number
    text = sms.text if is_open else mask(sms.text)
    if sms.kind == SmsKind.INBOUND:
        return TimelineEntry(sms.created_at, "sms", f"SMS from {number(sms.sender)}", text)
    to = f" to {number(sms.recipient)}" if sms.recipient else ""
    reason = f": {sms.reason}" if sms.reason else ""
    return TimelineEntry(sms.created_at, "sms", f"{sms.kind} SMS{to}, {sms.state}{reason}", text)
