"""Flags: problems of a job that a person must check."""

from collections.abc import Iterator
from typing import NamedTuple

from repairjobs.models import STATUS_RANKS, Job, JobStatus, Sms, SmsState, in_order


class Flag(NamedTuple):
    """A problem of a job that a person must check."""

    key: str  # differs for a different problem, even if the text is the same
    text: str


def unseen_flags(job: Job) -> list[Flag]:
    """Return the job's flags that no person has marked as seen."""
    seen_keys = {acknowledgement.flag for acknowledgement in job.acknowledgements.all()}
    return [flag for flag in flags(job) if flag.key not in seen_keys]


def flags(job: Job) -> Iterator[Flag]:
    """Yield all of the job's flags, seen or not."""
    yield from _job_flags(job)
    for sms in in_order(job.sms):
        if text := _sms_problem(sms):
            yield Flag(f"sms {sms.pk} {sms.state}", text)
    for task in in_order(job.outbox_tasks):
        if task.is_dead_letter:
            text = f"failed too often: {task.kind} {task.subject}".strip()
            yield Flag(f"task {task.pk}", text)


def drop_outdated_acknowledgements(job: Job) -> None:
    """Delete the acknowledgements of flags that the job no longer has.

    If the job gets such a flag again, the flag is unseen.
    """
    seen_keys = set(job.acknowledgements.values_list("flag", flat=True))
    if outdated_keys := seen_keys and seen_keys - {flag.key for flag in flags(job)}:
        job.acknowledgements.filter(flag__in=outdated_keys).delete()


def _job_flags(job: Job) -> Iterator[Flag]:
    status = job.status
    if job.is_missing:
        yield Flag("missing", "the client deleted the row")
    if job.is_on_hold:
        yield Flag("on hold", "on hold since going live: release the job with adopt_jobs")
    if status not in STATUS_RANKS:
        yield Flag(f"unknown {status}", f"the client's status {status!r} is unknown")
    if job.closed_at and status != JobStatus.CLOSED:
        yield Flag(f"again {status}", f"CLOSED before, and now {status} at the client")
    if status == JobStatus.CLOSED and job.paid_at is None:
        yield Flag("unpaid", "closed by the client without a payment")


def _sms_problem(sms: Sms) -> str:
    if sms.state == SmsState.UNKNOWN:
        return f"the {sms.kind} SMS was perhaps sent"
    if sms.state == SmsState.FAILED:
        return f"the {sms.kind} SMS did not arrive: {sms.reason}"
    if sms.state == SmsState.SUPPRESSED and sms.needs_attention:
        return f"the {sms.kind} SMS was not sent: {sms.reason}"
    return ""
