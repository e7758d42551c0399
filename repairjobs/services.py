import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now

from repairjobs import client
from repairjobs import sms as carrier
from repairjobs.models import (
    CHUNK,
    FACTS,
    OPEN_STATES,
    RANKS,
    REPORTED,
    SMALLEST_ID,
    STATE_RANKS,
    ClientJob,
    Collection,
    DeliveryReport,
    Errand,
    ErrandKind,
    Job,
    JobStatus,
    JobTransaction,
    OptOut,
    Part,
    Payment,
    Piece,
    Sms,
    SmsKind,
    SmsState,
    plain_status,
)
from repairjobs.rendering import text_of
from repairjobs.transactions import in_transaction

# How many ids below the highest one are read again: ids are not given in order of creation.
LOOK_BACK = 1_000
SWEEP_ROWS = 20_000
# So many NEW jobs in a first collect are a table that was in use before us.
MOST_TEXTED_AT_FIRST = 20

NO_NUMBER = "the number cannot be texted"
OPTED_OUT = "the number has opted out"


class UnknownJob(Exception):
    """We never collected that job."""

    def __init__(self, job_id: int) -> None:
        super().__init__(f"job {job_id} is unknown")


class UnknownPart(Exception):
    """The job has no such part."""


class PaymentConflict(Exception):
    """The reference stands for another payment, which stays as it is."""

    def __init__(self, stored: Payment, sent: Payment) -> None:
        super().__init__(f"payment {stored.reference} is known with other content")
        before, after = stored.content(), sent.content()
        self.conflicts = {
            name: (before[name], after[name]) for name in before if before[name] != after[name]
        }


class CannotText(Exception):
    """The job's customer cannot be texted; says why."""


# --- Collect ---------------------------------------------------------------------------------


def collect_jobs(*, at: datetime) -> int:
    """Take over the client's NEW jobs; return how many.

    :raises ClientUnavailable: what was taken over before that stays.
    """
    state = Collection.objects.current()
    collected, after = 0, SMALLEST_ID - 1
    if state.watermark is not None:
        after = max(state.watermark - LOOK_BACK, after)
    while (piece := client.new_jobs(after=after, size=CHUNK)).end is not None:
        collected += _take_over(piece, at=at)
        after = piece.end
    _complete_collection(at=at)
    return collected


def sweep_jobs(*, at: datetime) -> int:
    """Look for NEW jobs in the next stretch of the client's whole table, round and round.

    Return how many were taken over.

    :raises ClientUnavailable:
    """
    state = Collection.objects.current()
    if not state.is_live:
        return 0
    piece = client.new_jobs(after=state.swept_to, size=SWEEP_ROWS)
    collected = _take_over(piece, at=at)
    swept_to = SMALLEST_ID - 1 if piece.end is None else piece.end
    Collection.objects.filter(pk=1).update(swept_to=swept_to)
    return collected


def adopt_jobs(*, text: bool, at: datetime) -> int:
    """Decide about the jobs held when going live: text their customers, or open them in silence.

    Return how many there were.
    """
    held = list(Job.objects.filter(is_held=True).order_by("pk").values_list("pk", flat=True))
    return sum(_adopt(job_id, text=text, at=at) for job_id in held)


@in_transaction
def _take_over(piece: Piece, *, at: datetime) -> int:
    known = Job.objects.in_bulk([row.job_id for row in piece.rows])
    is_old_news = len(known) == len(piece.rows)
    state = Collection.objects.current()
    if is_old_news and (piece.end is None or piece.end <= (state.watermark or SMALLEST_ID - 1)):
        return _reopen(known, at=at)
    state = Collection.objects.locked()
    # Whoever collected since the look above was first.
    known = Job.objects.in_bulk([row.job_id for row in piece.rows])
    fresh = [_copy(row, state, at) for row in piece.rows if row.job_id not in known]
    _open_files(fresh, at=at)
    state.watermark = max(state.watermark or SMALLEST_ID, piece.end or SMALLEST_ID)
    state.save(update_fields=["watermark"])
    return len(fresh) + _reopen(known, at=at)


def _copy(row: ClientJob, state: Collection, at: datetime) -> Job:
    return Job(
        job_id=row.job_id,
        status=JobStatus.NEW,
        collected_at=at,
        is_held=not state.is_live,
        **row.facts(),
    )


def _open_files(jobs: list[Job], *, at: datetime) -> None:
    """Store new jobs with their lines in the ledger, and owe their documents and texts."""
    Job.objects.bulk_create(jobs)
    JobTransaction.objects.bulk_create(
        JobTransaction(job=job, status=job.status, created_at=at, note="GET new job")
        for job in jobs
    )
    for job in jobs:
        Errand.objects.owe(job, ErrandKind.DOCUMENT)
        if not job.is_held:
            _owe_courtesy(job, at=at)


def _reopen(known: Mapping[int, Job], *, at: datetime) -> int:
    """Note closed jobs that are NEW again, for a person to see."""
    again = [job for job in known.values() if job.closed_at and job.status != JobStatus.NEW]
    for seen in again:
        job = Job.objects.locked(seen.pk)
        job.status = JobStatus.NEW
        JobTransaction.objects.note(job, "GET Job_status NEW after CLOSED", at=at)
        _change(job, "status")
    return 0


@in_transaction
def _complete_collection(*, at: datetime) -> None:
    state = Collection.objects.locked()
    if not state.is_live:
        held = list(Job.objects.filter(is_held=True)[: MOST_TEXTED_AT_FIRST + 1])
        if len(held) <= MOST_TEXTED_AT_FIRST:
            for job in held:
                _adopt(job.pk, text=True, at=at)
        state.is_live = True
    state.completed_at = at
    state.save(update_fields=["is_live", "completed_at"])


@in_transaction
def _adopt(job_id: int, *, text: bool, at: datetime) -> bool:
    job = Job.objects.locked(job_id)
    if not job.is_held:
        return False
    job.is_held = False
    _change(job, "is_held")
    if text:
        _owe_courtesy(job, at=at)
    else:
        _withhold_courtesy(job, at=at)
    return True


# --- Write the document ------------------------------------------------------------------------


@in_transaction
def record_document_written(errand: Errand, *, version: int) -> None:
    """The job's document is stored in this version; a newer one is due at once."""
    job = Job.objects.locked(errand.job_id)
    held = Errand.objects.held(errand)
    if job.version == version:
        held.delete()
    else:
        held.retry()


# --- What is due -----------------------------------------------------------------------------


def _change(job: Job, *fields: str) -> None:
    """Save the locked job's fields, and owe the document that shows them."""
    job.version += 1
    job.save(update_fields=[*fields, "version"])
    Errand.objects.owe(job, ErrandKind.DOCUMENT)


@in_transaction
def show_change(job_id: int) -> None:
    """Owe the document anew, as something it shows has changed."""
    _change(locked_job(job_id))


@in_transaction
def retry_errand(errand: Errand) -> bool:
    """Make an errand due now, whatever it waited for. Return False if it is done meanwhile."""
    job = locked_job(errand.job_id)
    due = Errand.objects.filter(pk=errand.pk).retry()
    if due:
        _change(job)
    return bool(due)


def _carry_on(job: Job, *, at: datetime) -> None:
    """Owe whatever the locked job's state makes due; owed once, however often this looks."""
    if job.is_missing or job.closed_at:
        return
    if job.status == JobStatus.NEW:
        courtesy = Sms.objects.filter(once=_once(SmsKind.COURTESY, job)).first()
        if courtesy:
            _owe_status_after(courtesy, job, JobStatus.OPENED)
    if job.owes_paid_status and settings.CLIENT_PAID_STATUS:
        Errand.objects.owe(job, ErrandKind.STATUS, plain_status(settings.CLIENT_PAID_STATUS))
    if job.paid_at and job.is_completed:
        feedback = _owe_one_sms(SmsKind.FEEDBACK, job, at=at)
        _owe_status_after(feedback, job, JobStatus.CLOSED)


def _owe_status_after(sms: Sms, job: Job, status: JobStatus) -> None:
    """Owe a write to the client, from when the SMS before it is settled."""
    if sms.is_settled:
        Errand.objects.owe(job, ErrandKind.STATUS, status)
        waiting = job.errands.filter(kind=ErrandKind.STATUS, subject=status, claim=None)
        waiting.filter(due_at__isnull=False).retry()
    elif sms.state == SmsState.UNKNOWN:
        after = settings.SMS_UNKNOWN_TIMEOUT
        Errand.objects.owe(job, ErrandKind.STATUS, status, after=after)


def _owe_courtesy(job: Job, *, at: datetime) -> None:
    _owe_one_sms(SmsKind.COURTESY, job, at=at)
    _carry_on(job, at=at)


def _withhold_courtesy(job: Job, *, at: datetime) -> None:
    sms = _draft(SmsKind.COURTESY, job, at=at)
    sms.once = _once(SmsKind.COURTESY, job)
    sms.state, sms.reason = SmsState.WITHHELD, "adopted in silence"
    sms.save()
    _note_sms(sms, job, f"not sent: {sms.reason}", at=at)
    _carry_on(job, at=at)


def _owe_one_sms(kind: SmsKind, job: Job, *, at: datetime) -> Sms:
    """The job's one SMS of this kind; owed if it is new, settled at once if it cannot be sent."""
    sms = Sms.objects.filter(once=_once(kind, job)).first()
    if sms is None:
        sms = _draft(kind, job, at=at)
        sms.once = _once(kind, job)
        _owe_sms(sms, job, at=at)
    return sms


def _once(kind: SmsKind, job: Job) -> str:
    return f"{kind}:{job.pk}"


def _draft(kind: SmsKind, job: Job, *, at: datetime, text: str | None = None) -> Sms:
    text = text or text_of(kind, job)
    return Sms(
        job=job,
        kind=kind,
        state=SmsState.QUEUED,
        sender=settings.VONAGE_FROM,
        text=text,
        segments=carrier.segments(text),
        created_at=at,
    )


def _owe_sms(sms: Sms, job: Job, *, at: datetime) -> None:
    if _address(sms, job):
        sms.save()
        Errand.objects.owe(job, ErrandKind.SMS, str(sms.reference))
    else:
        sms.save()
        _note_sms(sms, job, f"not sent: {sms.reason}", at=at)
        _change(job)


def _address(sms: Sms, job: Job) -> bool:
    """Put the customer's number on an SMS; withhold it if there is none, or none that wants it."""
    number = carrier.normalised(job.mobile)
    sms.recipient = number or ""
    if number and not OptOut.objects.filter(number=number).exists():
        return True
    sms.state = SmsState.WITHHELD
    sms.reason = OPTED_OUT if number else NO_NUMBER
    sms.needs_attention = number is None
    return False


def _note_sms(sms: Sms, job: Job, what: str, *, at: datetime) -> None:
    JobTransaction.objects.note(job, f"EVENT {sms.kind} SMS {what}", at=at)


# --- Send ------------------------------------------------------------------------------------


@in_transaction
def begin_attempt(errand: Errand, *, at: datetime) -> Sms | None:
    """Put on record that the errand's SMS is being sent; to be called before it is.

    Return the SMS to send; None if there is nothing to send any more.
    """
    job = Job.objects.locked(errand.job_id)
    if not Errand.objects.held(errand).exists():
        return None
    sms = Sms.objects.select_for_update().get(reference=UUID(errand.subject))
    if sms.state == SmsState.SENDING:
        # Whoever put this on record died, or forgot to tell.
        _doubt(sms, job, "the worker that sent it was lost", at=at)
    if sms.state == SmsState.QUEUED:
        if _address(sms, job):
            sms.state = SmsState.SENDING
            sms.attempts += 1
            sms.attempted_at = at
            sms.save()
            return sms
        _settle(sms, job, f"not sent: {sms.reason}", at=at)
    Errand.objects.held(errand).delete()
    return None


@in_transaction
def record_accepted(attempt: Sms, *, message_uuid: str, at: datetime) -> None:
    """The SMS of this attempt was accepted under this id."""
    job, sms = _locked_sms(attempt)
    sms.message_uuid = message_uuid[:64]
    if sms.state in OPEN_STATES:
        sms.state, sms.reason = SmsState.ACCEPTED, ""
        _settle(sms, job, "accepted", at=at)
    sms.save()
    _sms_errands(sms).delete()


@in_transaction
def record_refused(attempt: Sms, *, reason: str, at: datetime) -> None:
    """The SMS of this attempt was refused for good."""
    job, sms = _locked_sms(attempt)
    if sms.state in OPEN_STATES:
        sms.state, sms.reason = SmsState.FAILED, reason[:255]
        _settle(sms, job, f"refused: {reason}", at=at)
    _sms_errands(sms).delete()


@in_transaction
def record_not_sent(attempt: Sms) -> bool:
    """The SMS of this attempt did not leave. Return whether it may be tried again."""
    _, sms = _locked_sms(attempt)
    if sms.state != SmsState.SENDING or sms.attempts != attempt.attempts:
        return False
    sms.state = SmsState.QUEUED
    sms.save(update_fields=["state"])
    return True


@in_transaction
def record_unknown(attempt: Sms, *, reason: str, at: datetime) -> None:
    """Nobody can tell whether the SMS of this attempt left: it is not sent again by itself."""
    job, sms = _locked_sms(attempt)
    if sms.state == SmsState.SENDING:
        _doubt(sms, job, reason, at=at)
    _sms_errands(sms).delete()


def _locked_sms(sms: Sms) -> tuple[Job, Sms]:
    assert sms.job_id is not None
    job = Job.objects.locked(sms.job_id)
    return job, Sms.objects.select_for_update().get(pk=sms.pk)


def _sms_errands(sms: Sms) -> QuerySet[Errand]:
    assert sms.job_id is not None
    # By job, as the index has it: a search by kind alone would wait for other workers' rows.
    subject = str(sms.reference)
    return Errand.objects.filter(job_id=sms.job_id, kind=ErrandKind.SMS, subject=subject)


def _doubt(sms: Sms, job: Job, reason: str, *, at: datetime) -> None:
    sms.state, sms.reason = SmsState.UNKNOWN, reason[:255]
    sms.save()
    _change(job)
    _carry_on(job, at=at)


def _settle(sms: Sms, job: Job, what: str, *, at: datetime) -> None:
    sms.save()
    _note_sms(sms, job, what, at=at)
    _change(job)
    _carry_on(job, at=at)


@in_transaction
def settle_sms(sms: Sms, *, was_sent: bool, at: datetime) -> bool:
    """Say what became of an SMS that may have been sent; one that was not is sent again.

    Return whether there was anything to settle.
    """
    job, sms = _locked_sms(sms)
    if sms.state != SmsState.UNKNOWN:
        return False
    if was_sent:
        sms.state, sms.reason = SmsState.ACCEPTED, "settled by hand"
        _settle(sms, job, "accepted, as settled by hand", at=at)
    else:
        sms.state, sms.reason = SmsState.QUEUED, ""
        sms.save()
        _change(job)
        Errand.objects.owe(job, ErrandKind.SMS, str(sms.reference))
    return True


# --- Tell the client -------------------------------------------------------------------------


@in_transaction
def intend_status(errand: Errand, row: ClientJob | None, *, at: datetime) -> bool:
    """Put on record that the errand's status is being written over the row's.

    Return whether it is to be written now: not if the row has it already, which then counts as
    ours, nor if the client went on without us, which is then followed.
    """
    job = Job.objects.locked(errand.job_id)
    stored = Errand.objects.held(errand).first()
    if stored is None:
        return False
    if row is None or row.plain_status not in _before(errand.subject):
        stored.delete()
        is_there = row is not None and row.plain_status == errand.subject
        if is_there and stored.is_intended:
            _finish_status(job, errand.subject, at=at)
            return False
        if is_there:
            # The client was first; there is nothing left to write.
            _mark_written(job, errand.subject, at=at)
        _absorb(job, row, at=at)
        return False
    stored.is_intended = True
    stored.save(update_fields=["is_intended"])
    return True


@in_transaction
def record_status_written(errand: Errand, *, at: datetime) -> None:
    """The errand's status stands in the client's row."""
    job = Job.objects.locked(errand.job_id)
    deleted, _ = Errand.objects.held(errand).delete()
    if deleted:
        _finish_status(job, errand.subject, at=at)


def look_again(errand: Errand) -> None:
    """The client's row was another one by the time of our write: nothing was written."""
    Errand.objects.held(errand).update(due_at=Now(), is_intended=False)


def _before(status: str) -> set[str]:
    """The statuses over which we may write this one."""
    paid = plain_status(settings.CLIENT_PAID_STATUS)
    if status == JobStatus.OPENED:
        return {JobStatus.NEW}
    if status == JobStatus.CLOSED:
        return {JobStatus.COMPLETED, paid} - {""}
    return set(JobStatus.values) - {JobStatus.CLOSED}


def _finish_status(job: Job, status: str, *, at: datetime) -> None:
    if status in RANKS:
        job.status = status
    _mark_written(job, status, at=at)
    JobTransaction.objects.note(job, f"PUT Job_status {status}", at=at)
    _carry_on(job, at=at)


def _mark_written(job: Job, status: str, *, at: datetime) -> None:
    if status == JobStatus.CLOSED:
        job.closed_at = at
    if status not in RANKS:
        job.paid_written_at = at
    _change(job, "status", "paid_written_at", "closed_at")


# --- Follow ----------------------------------------------------------------------------------


def follow_jobs(*, at: datetime) -> int:
    """See what became of the jobs under way at the client; return how many changed.

    :raises ClientUnavailable: what was seen before that stays.
    """
    changed = 0
    for jobs in Job.objects.under_way().chunks():
        rows = client.fetch(jobs)
        for seen in jobs.values():
            row = rows.get(seen.pk)
            if _differs(seen, row):
                changed += _follow(seen, row, at=at)
    return changed


def _differs(job: Job, row: ClientJob | None) -> bool:
    if row is None:
        return not job.is_missing
    return job.is_missing or job.facts() != row.facts() or job.status != status_in(row, job)


def status_in(row: ClientJob, job: Job) -> str:
    """The job's status by the client's row, where a mark that it is paid says nothing new."""
    is_paid_mark = row.plain_status and row.plain_status == plain_status(
        settings.CLIENT_PAID_STATUS
    )
    return job.status if is_paid_mark else row.plain_status[:255]


@in_transaction
def _follow(seen: Job, row: ClientJob | None, *, at: datetime) -> bool:
    job = Job.objects.locked(seen.pk)
    if job.version != seen.version:
        # The row may have been read before that change; the next look tells.
        return False
    if row and job.errands.intended(row.plain_status).exists():
        # Ours, and about to be recorded so.
        return False
    return _absorb(job, row, at=at)


def _absorb(job: Job, row: ClientJob | None, *, at: datetime) -> bool:
    """Make the locked job what the client's row says. Return whether that changed anything."""
    changes = _update_from_row(job, row) if row else _lose_row(job)
    if changes:
        JobTransaction.objects.note(job, f"GET {'; '.join(changes)}", at=at)
        _change(job, "status", "is_missing", *FACTS)
    _carry_on(job, at=at)
    return bool(changes)


def _lose_row(job: Job) -> list[str]:
    if job.is_missing:
        return []
    job.is_missing = True
    return ["found no row any more"]


def _update_from_row(job: Job, row: ClientJob) -> list[str]:
    """Copy the row into the job. Return what changed, in words without personal data."""
    changes = ["found the row again"] if job.is_missing else []
    job.is_missing = False
    status = status_in(row, job)
    if status != job.status:
        changes.append(f"Job_status {status}{_jump(job.status, status)}")
        job.status = status
    before, after = job.facts(), row.facts()
    if names := [name for name in after if after[name] != before[name]]:
        changes.append(f"{', '.join(FACTS[name] for name in names)} changed")
    for name in names:
        setattr(job, name, after[name])
    return changes


def _jump(before: str, after: str) -> str:
    """What is odd about a step from one status to another, in words."""
    if before not in RANKS or after not in RANKS:
        return ""
    if RANKS[after] < RANKS[before]:
        return f" (back from {before})"
    skipped = [status for status, rank in RANKS.items() if RANKS[before] < rank < RANKS[after]]
    return f" ({', '.join(skipped)} skipped)" if skipped else ""


# --- Pay -------------------------------------------------------------------------------------


@in_transaction
def receive_payment(
    *, job_id: int, reference: str, amount: Decimal, currency: str, at: datetime
) -> tuple[Payment, bool]:
    """Record a payment, once per reference; a completed job then owes its feedback SMS.

    Return the stored payment, and False if this very payment was recorded before.

    :raises UnknownJob: if we never collected that job.
    :raises PaymentConflict: if the reference stands for another payment.
    """
    job = locked_job(job_id)
    sent = Payment(
        reference=reference,
        job=job,
        amount_hundredths=int(amount.scaleb(2)),
        currency=currency,
        received_at=at,
    )
    stored, is_new = Payment.objects.get_or_create(
        reference=reference,
        defaults={
            "job": job,
            "amount_hundredths": sent.amount_hundredths,
            "currency": currency,
            "received_at": at,
        },
    )
    if not is_new:
        if stored.content() != sent.content():
            raise PaymentConflict(stored, sent)
        return stored, False
    JobTransaction.objects.note(job, f"EVENT payment {reference} received", at=at)
    job.paid_at = job.paid_at or at
    _change(job, "paid_at")
    # Owed in the same transaction: from here on a crash can delay the SMS, not lose it.
    _carry_on(job, at=at)
    return stored, True


def locked_job(job_id: int) -> Job:
    """The job, held until the caller's transaction ends.

    :raises UnknownJob:
    """
    try:
        return Job.objects.locked(job_id)
    except Job.DoesNotExist as error:
        raise UnknownJob(job_id) from error


# --- Parts, and words with the customer --------------------------------------------------------


@in_transaction
def add_part(*, job_id: int, part_number: str, name: str, quantity: int) -> Part:
    """Note a part that the repair needs.

    :raises UnknownJob:
    """
    job = locked_job(job_id)
    part = Part.objects.create(job=job, part_number=part_number, name=name, quantity=quantity)
    _change(job)
    return part


@in_transaction
def move_part(*, job_id: int, part_id: int, status: str) -> Part:
    """Set how far a part has come.

    :raises UnknownJob:
    :raises UnknownPart:
    """
    job = locked_job(job_id)
    part = job.parts.filter(pk=part_id).first()
    if part is None:
        raise UnknownPart(f"job {job_id} has no part {part_id}")
    if part.status != status:
        part.status = status
        part.save(update_fields=["status"])
        _change(job)
    return part


@in_transaction
def send_private_message(*, job_id: int, text: str, at: datetime) -> Sms:
    """Owe the customer an SMS in the desk's own words.

    :raises UnknownJob:
    :raises CannotText: if there is no textable number, or one that opted out.
    """
    job = locked_job(job_id)
    sms = _draft(SmsKind.PRIVATE, job, at=at, text=text)
    if not _address(sms, job):
        raise CannotText(sms.reason)
    sms.save()
    Errand.objects.owe(job, ErrandKind.SMS, str(sms.reference))
    return sms


# --- What Vonage tells -----------------------------------------------------------------------


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
    job, sms = _locked_sms(sms)
    if state is None or STATE_RANKS[state] <= STATE_RANKS[sms.state]:
        return
    was_open = not sms.is_settled
    sms.state, sms.reason = state, report.reason
    sms.message_uuid = sms.message_uuid or report.message_uuid
    if state == SmsState.FAILED:
        _settle(sms, job, report.status, at=at)
    elif was_open:
        _settle(sms, job, f"accepted: {report.status}", at=at)
    else:
        sms.save()
        _change(job)


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
