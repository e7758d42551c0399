"""A job as its document shows it, and the words of its SMS."""

from collections.abc import Iterator
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from django.db.models import Manager, Model
from django.template.loader import render_to_string

from repairjobs.models import RANKS, Job, JobStatus, Sms, SmsKind, SmsState

Row = TypeVar("Row", bound=Model)


def document_of(job: Job) -> dict[str, Any]:
    """The job's document as it is to be stored now."""
    return {
        "job_id": job.spoken_id,
        "job_date": f"{job.collected_at:%Y-%m-%d}",
        "job_type": job.type,
        "job_status": job.status,
        "customer": [
            {
                "client_firstname": job.firstname,
                "client_lastname": job.lastname,
                "client_postcode": job.postcode,
                "client_mobile": job.mobile,
            }
        ],
        "product": [{"product_id": job.product_id, "product_type": job.product_type}],
        "paid": job.paid_at is not None,
        "parts": [
            {
                "id": part.pk,
                "part_number": part.part_number,
                "name": part.name,
                "quantity": part.quantity,
                "status": part.status,
            }
            for part in in_order(job.parts)
        ],
        "attention": [flag.text for flag in unseen_flags(job)],
    }


class Flag(NamedTuple):
    """Something that a person must look at."""

    key: str  # another one where it is another thing, though the words may be the same
    text: str


def unseen_flags(job: Job) -> list[Flag]:
    """What a person must look at, and none has seen yet."""
    seen = {acknowledgement.flag for acknowledgement in job.acknowledgements.all()}
    return [flag for flag in flags(job) if flag.key not in seen]


def flags(job: Job) -> Iterator[Flag]:
    """All that a person must look at, or has seen already."""
    yield from _of_the_job(job)
    for sms in in_order(job.sms):
        if text := _attention_to(sms):
            yield Flag(f"sms {sms.pk} {sms.state}", text)
    for errand in in_order(job.errands):
        if errand.is_quarantined:
            text = f"given up for now: {errand.kind} {errand.subject}".strip()
            yield Flag(f"errand {errand.pk}", text)


def _of_the_job(job: Job) -> Iterator[Flag]:
    status = job.status
    if job.is_missing:
        yield Flag("missing", "the client's row has gone")
    if job.is_held:
        yield Flag("held", "collected when going live: adopt_jobs decides whether to text")
    if status not in RANKS:
        yield Flag(f"unknown {status}", f"the client's status {status!r} is not one we know")
    if job.closed_at and status != JobStatus.CLOSED:
        yield Flag(f"again {status}", f"CLOSED before, and now {status} at the client")
    if status == JobStatus.CLOSED and job.paid_at is None:
        yield Flag("unpaid", "closed by the client without a payment")


def _attention_to(sms: Sms) -> str:
    if sms.state == SmsState.UNKNOWN:
        return f"the {sms.kind} SMS may have been sent, or not"
    if sms.state == SmsState.FAILED:
        return f"the {sms.kind} SMS did not arrive: {sms.reason}"
    if sms.state == SmsState.WITHHELD and sms.needs_attention:
        return f"the {sms.kind} SMS was not sent: {sms.reason}"
    return ""


def in_order(rows: Manager[Row]) -> list[Row]:
    """A job's rows of a kind, by their own ids; asked for only if they were not read with it."""
    return sorted(rows.all(), key=attrgetter("pk"))


def text_of(kind: SmsKind, job: Job) -> str:
    """The words of an SMS about the job."""
    return render_to_string(f"repairjobs/{kind}.txt", {"job": job}).strip()
