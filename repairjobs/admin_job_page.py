"""The admin page of a job: its flags, timeline, outbox, parts and document."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from common.widgets import CanView
from repairjobs.integrations.documents import document_store
from repairjobs.integrations.documents.base import DocumentsUnavailable
from repairjobs.models import Job, JobTransaction, OutboxTask, Part, Payment, Sms, SmsKind
from repairjobs.services.attention import Flag, flags, unseen_flags
from repairjobs.services.masking import mask, mask_document, mask_number

# Maximum rows of each kind on the page. The lists of the admin show all rows.
MAX_ROWS = 500


class TimelineEntry(NamedTuple):
    """A ledger line, a payment or an SMS of a job."""

    at: datetime
    icon: str
    title: str
    text: str = ""


class JobPage(NamedTuple):
    """The content of the page in addition to the job's fields."""

    unseen_flags: Sequence[Flag]
    seen_flags: Sequence[Flag]
    timeline: Sequence[TimelineEntry]
    outbox_tasks: Sequence[OutboxTask]
    parts: Sequence[Part]
    document: str


def build_job_page(job: Job, *, is_unmasked: bool, can_view: CanView) -> JobPage:
    """Return the page's content, limited to the models that the user can view.

    :param is_unmasked: whether the user sees personal data.
    """
    unseen = unseen_flags(job)
    return JobPage(
        unseen_flags=unseen,
        seen_flags=[flag for flag in flags(job) if flag not in unseen],
        timeline=build_timeline(job, is_unmasked=is_unmasked, can_view=can_view),
        outbox_tasks=_first_rows(job.outbox_tasks) if can_view("outboxtask") else [],
        parts=_first_rows(job.parts) if can_view("part") else [],
        document=_format_document(job, is_unmasked=is_unmasked),
    )


def build_timeline(job: Job, *, is_unmasked: bool, can_view: CanView) -> list[TimelineEntry]:
    """Return the job's ledger lines, payments and SMS, oldest first."""
    entries: list[TimelineEntry] = []
    if can_view("jobtransaction"):
        entries += map(_ledger_entry, _latest_rows(job.transactions, "created_at"))
    if can_view("payment"):
        entries += map(_payment_entry, _latest_rows(job.payments, "received_at"))
    if can_view("sms"):
        messages = _latest_rows(job.sms, "created_at")
        entries += [_sms_entry(sms, is_unmasked=is_unmasked) for sms in messages]
    return sorted(entries, key=lambda entry: entry.at)


def _first_rows(rows: Any) -> list[Any]:
    return list(rows.order_by("pk")[:MAX_ROWS])


def _latest_rows(rows: Any, timestamp: str) -> Iterator[Any]:
    latest: QuerySet[Any] = rows.order_by(f"-{timestamp}", "-pk")
    return reversed(latest[:MAX_ROWS])


def _format_document(job: Job, *, is_unmasked: bool) -> str:
    try:
        document = document_store().get(job.formatted_id)
    except DocumentsUnavailable:
        return "The document database is unavailable."
    if document is None:
        return "There is no document yet."
    content = document if is_unmasked else mask_document(document)
    return json.dumps(content, indent=2, ensure_ascii=False)


def _ledger_entry(line: JobTransaction) -> TimelineEntry:
    icon = {"GET": "download", "PUT": "upload"}.get(line.note.partition(" ")[0], "event")
    return TimelineEntry(line.created_at, icon, line.note, f"status {line.status}")


def _payment_entry(payment: Payment) -> TimelineEntry:
    title = f"Payment of {payment.amount} {payment.currency}"
    return TimelineEntry(payment.received_at, "payments", title, f"reference {payment.reference}")


def _sms_entry(sms: Sms, *, is_unmasked: bool) -> TimelineEntry:
    format_number: Callable[[str], str] = str if is_unmasked else mask_number
    text = sms.text if is_unmasked else mask(sms.text)
    if sms.kind == SmsKind.INBOUND:
        return TimelineEntry(sms.created_at, "sms", f"SMS from {format_number(sms.sender)}", text)
    recipient = f" to {format_number(sms.recipient)}" if sms.recipient else ""
    reason = f": {sms.reason}" if sms.reason else ""
    title = f"{sms.kind} SMS{recipient}, {sms.state}{reason}"
    return TimelineEntry(sms.created_at, "sms", title, text)
