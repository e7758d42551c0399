"""A job as its document shows it, and the words of its SMS."""

from collections.abc import Iterator
from operator import attrgetter
from typing import Any, TypeVar

from django.db.models import Manager, Model
from django.template.loader import render_to_string

from repairjobs.models import RANKS, Errand, Job, JobStatus, Sms, SmsKind, SmsState

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
        "attention": list(attention(job)),
    }


def attention(job: Job) -> Iterator[str]:
    """What a person must look at."""
    if job.is_missing:
        yield "the client's row has gone"
    if job.is_held:
        yield "collected when going live: adopt_jobs decides whether to text"
    if job.status not in RANKS:
        yield f"the client's status {job.status!r} is not one we know"
    if job.closed_at and job.status != JobStatus.CLOSED:
        yield f"CLOSED before, and now {job.status} at the client"
    if job.status == JobStatus.CLOSED and job.paid_at is None:
        yield "closed by the client without a payment"
    for sms in in_order(job.sms):
        yield from _attention_to(sms)
    for errand in in_order(job.errands):
        yield from _given_up(errand)


def _attention_to(sms: Sms) -> Iterator[str]:
    if sms.state == SmsState.UNKNOWN:
        yield f"the {sms.kind} SMS may have been sent, or not"
    if sms.state == SmsState.FAILED:
        yield f"the {sms.kind} SMS did not arrive: {sms.reason}"
    if sms.state == SmsState.WITHHELD and sms.needs_attention:
        yield f"the {sms.kind} SMS was not sent: {sms.reason}"


def _given_up(errand: Errand) -> Iterator[str]:
    if errand.is_quarantined:
        yield f"given up for now: {errand.kind} {errand.subject}".strip()


def in_order(rows: Manager[Row]) -> list[Row]:
    """A job's rows of a kind, by their own ids; asked for only if they were not read with it."""
    return sorted(rows.all(), key=attrgetter("pk"))


def text_of(kind: SmsKind, job: Job) -> str:
    """The words of an SMS about the job."""
    return render_to_string(f"repairjobs/{kind}.txt", {"job": job}).strip()
