"""What is owed to outside systems, worked off: documents, SMS, the client's statuses."""

import logging
import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from django.conf import settings

from common.time_budget import HasTimeLeft, time_limit_of
from repairjobs import client, sms
from repairjobs.documents import DocumentsUnavailable, documents
from repairjobs.models import Departure, Errand, ErrandKind, Job, ahead
from repairjobs.rendering import document_of
from repairjobs.services import hearing, jobs, telling, texting
from repairjobs.transactions import in_transaction

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]

RUN_SECONDS = 20.0
DOCUMENTS_AT_ONCE = 100
# The longest that a worker waits for its SMS to be the next.
PATIENCE = timedelta(seconds=5)
MAX_ATTEMPTS = 12
# Attempts at a system that is away use up no more of them than these.
MAX_ATTEMPTS_AWAY = 6
FIRST_PAUSE, MAX_PAUSE = 2.0, 300.0


def run_errands(kind: ErrandKind, *, clock: Clock, has_time_left: HasTimeLeft | None = None) -> int:
    """Work off the errands of a kind that are due. Return how many were tried.

    A run ends after some seconds, or when ``has_time_left`` says so.

    An errand that cannot be done now is due again later; the rest of a run is left out where the
    system that it needs is away.
    """
    has_time_left = has_time_left or time_limit_of(RUN_SECONDS)
    tried, is_there = 0, True
    while is_there and has_time_left():
        is_document = kind == ErrandKind.DOCUMENT
        errands = Errand.objects.claim(kind, most=DOCUMENTS_AT_ONCE if is_document else 1)
        if not errands:
            break
        tried += len(errands)
        is_there = _write_documents(errands) if is_document else _run(errands[0], clock)
    return tried


def _run(errand: Errand, clock: Clock) -> bool:
    """Do an errand, or put it off. Return whether the system that it needs is there."""
    try:
        RUNNERS[errand.kind](errand, clock)
    except client.ClientUnavailable as error:
        _await_system([errand], error)
        return False
    except Exception as error:
        _blame(errand, error)
    return True


def _write_documents(errands: list[Errand]) -> bool:
    """Write the documents of jobs, with one look at them all and one record of what was written.

    Return whether the store is there.
    """
    found = Job.objects.with_details().in_bulk([errand.job_id for errand in errands])
    written: dict[int, int] = {}
    is_there = True
    for number, errand in enumerate(errands):
        job = found[errand.job_id]
        try:
            documents().put(document_of(job), version=job.version)
        except DocumentsUnavailable as error:
            _await_system(errands[number:], error)
            is_there = False
            break
        except Exception as error:
            _blame(errand, error)
        else:
            written[job.pk] = job.version
    jobs.record_documents_written(errands[0].claim, written)
    return is_there


def _await_system(errands: list[Errand], error: Exception) -> None:
    logger.warning("Put off %d %s: %s", len(errands), errands[0].kind, error)
    for errand in errands:
        put_off(errand, error)


def _blame(errand: Errand, error: Exception) -> None:
    logger.error("Failed %s %d", errand.kind, errand.pk, exc_info=error)
    put_off(errand, error, is_its_fault=True)


@in_transaction
def put_off(
    errand: Errand, error: Exception, *, is_its_fault: bool = False, pause: float | None = None
) -> None:
    """Let the errand be due again after a pause that grows; quarantine one that fails too often.

    A system that is away is no errand's fault, and quarantines none, not even later on.
    """
    jobs.locked_job(errand.job_id)
    reason = f"{type(error).__name__}: {error}"[:255]
    held = Errand.objects.held(errand)
    if is_its_fault and errand.attempts >= MAX_ATTEMPTS:
        held.update(due_at=None, claim=None, last_error=reason)
        if errand.kind != ErrandKind.DOCUMENT:
            jobs.show_change(errand.job_id)
    else:
        attempts = min(errand.attempts, MAX_ATTEMPTS if is_its_fault else MAX_ATTEMPTS_AWAY)
        pause = max(pause or 0.0, _pause_after(attempts))
        due_at = ahead(timedelta(seconds=pause))
        held.update(due_at=due_at, attempts=attempts, last_error=reason)


def _pause_after(attempts: int) -> float:
    longest = min(FIRST_PAUSE * 2.0 ** (attempts - 1), MAX_PAUSE)
    # Not all at once when the system is back.
    return random.uniform(longest / 2, longest)


def _send_sms(errand: Errand, clock: Clock) -> None:
    wait = Departure.objects.next(per_second=settings.SMS_PER_SECOND)
    if wait > PATIENCE:
        Errand.objects.held(errand).update(due_at=ahead(wait), attempts=errand.attempts - 1)
        return
    time.sleep(wait.total_seconds())
    attempt = texting.begin_attempt(errand, at=clock())
    if attempt is None:
        return
    try:
        uuid = sms.send(to=attempt.recipient, text=attempt.text, reference=str(attempt.reference))
    except sms.SmsRefused as error:
        texting.record_refused(attempt, reason=str(error), at=clock())
    except sms.SmsUnknown as error:
        texting.record_unknown(attempt, reason=str(error), at=clock())
    except sms.SmsNotSent as error:
        if texting.record_not_sent(attempt):
            put_off(errand, error, is_its_fault=True, pause=error.retry_after)
    else:
        texting.record_accepted(attempt, message_uuid=uuid, at=clock())
        hearing.join_reports(attempt, message_uuid=uuid, at=clock())


def _tell_client(errand: Errand, clock: Clock) -> None:
    row = client.fetch([errand.job_id]).get(errand.job_id)
    if not telling.intend_status(errand, row, at=clock()):
        return
    assert row is not None
    if client.compare_and_set(errand.job_id, expected=row.status, status=errand.subject):
        telling.record_status_written(errand, at=clock())
    else:
        # The client changed it at this moment: look again.
        telling.look_again(errand)


RUNNERS: Mapping[str, Callable[[Errand, Clock], None]] = {
    ErrandKind.SMS: _send_sms,
    ErrandKind.STATUS: _tell_client,
}
