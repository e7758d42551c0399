"""The state machine of an SMS.

``SMS_TRANSITIONS`` is the whole machine; docs/repairjobs.md shows it as a diagram. Other modules
use ``workflow.advance_sms``, because a change of an SMS may advance its job.
"""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from repairjobs.models import (
    UNRESOLVED_STATES,
    Job,
    JobTransaction,
    OptOut,
    OutboxKind,
    OutboxTask,
    Sms,
    SmsState,
)


class SmsEvent(StrEnum):
    """The events that can change an SMS."""

    ATTEMPT_STARTED = "attempt started"
    NOT_SENT = "not sent"
    OUTCOME_UNKNOWN = "outcome unknown"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    NO_NUMBER = "no usable number"
    OPTED_OUT = "number opted out"
    RELEASED_SILENTLY = "released silently"
    RECEIPT_ACCEPTED = "receipt says accepted"
    RECEIPT_REJECTED = "receipt says rejected"
    RECEIPT_NOT_DELIVERED = "receipt says not delivered"
    RECEIPT_DELIVERED = "receipt says delivered"
    RESOLVED_AS_SENT = "resolved as sent"
    RESOLVED_AS_NOT_SENT = "resolved as not sent"


class SmsTransition(NamedTuple):
    """The effect of an event on an SMS in one of the source states."""

    sources: tuple[SmsState, ...]
    event: SmsEvent
    target: SmsState
    note: str = ""  # in the ledger, after "EVENT … SMS"; empty: no line
    reason: str = ""  # the default, if the event has no reason
    needs_attention: bool = False
    sends: bool = False  # enqueues the task that sends the SMS
    affects_job: bool = True  # the job's document or next steps depend on it


NOT_YET_FAILED = (*UNRESOLVED_STATES, SmsState.SUPPRESSED, SmsState.ACCEPTED)

# An event without a row here changes nothing. So receipts may be repeated and come in any order.
SMS_TRANSITIONS = (
    SmsTransition(
        (SmsState.QUEUED,), SmsEvent.ATTEMPT_STARTED, SmsState.SENDING, affects_job=False
    ),
    SmsTransition((SmsState.SENDING,), SmsEvent.NOT_SENT, SmsState.QUEUED, affects_job=False),
    SmsTransition((SmsState.SENDING,), SmsEvent.OUTCOME_UNKNOWN, SmsState.UNKNOWN),
    SmsTransition(UNRESOLVED_STATES, SmsEvent.ACCEPTED, SmsState.ACCEPTED, "accepted"),
    SmsTransition(UNRESOLVED_STATES, SmsEvent.REFUSED, SmsState.FAILED, "refused: {reason}"),
    SmsTransition(
        (SmsState.QUEUED,),
        SmsEvent.NO_NUMBER,
        SmsState.SUPPRESSED,
        "not sent: {reason}",
        reason="the number cannot be texted",
        needs_attention=True,
    ),
    SmsTransition(
        (SmsState.QUEUED,),
        SmsEvent.OPTED_OUT,
        SmsState.SUPPRESSED,
        "not sent: {reason}",
        reason="the number has opted out",
    ),
    SmsTransition(
        (SmsState.QUEUED,),
        SmsEvent.RELEASED_SILENTLY,
        SmsState.SUPPRESSED,
        "not sent: {reason}",
        reason="released silently",
    ),
    SmsTransition(
        UNRESOLVED_STATES,
        SmsEvent.RECEIPT_ACCEPTED,
        SmsState.ACCEPTED,
        "accepted, according to the delivery receipt",
    ),
    SmsTransition(NOT_YET_FAILED, SmsEvent.RECEIPT_REJECTED, SmsState.FAILED, "rejected"),
    SmsTransition(NOT_YET_FAILED, SmsEvent.RECEIPT_NOT_DELIVERED, SmsState.FAILED, "not delivered"),
    SmsTransition(
        UNRESOLVED_STATES,
        SmsEvent.RECEIPT_DELIVERED,
        SmsState.DELIVERED,
        "accepted and delivered, according to the delivery receipt",
    ),
    SmsTransition(
        (SmsState.SUPPRESSED, SmsState.ACCEPTED, SmsState.FAILED),
        SmsEvent.RECEIPT_DELIVERED,
        SmsState.DELIVERED,
    ),
    SmsTransition(
        (SmsState.UNKNOWN,),
        SmsEvent.RESOLVED_AS_SENT,
        SmsState.ACCEPTED,
        "accepted, resolved by hand",
        reason="resolved by hand",
    ),
    SmsTransition(
        (SmsState.UNKNOWN,),
        SmsEvent.RESOLVED_AS_NOT_SENT,
        SmsState.QUEUED,
        "resolved by hand: it was not sent, and is sent again",
        sends=True,
    ),
)


_BY_STATE_AND_EVENT = {
    (source.value, transition.event): transition
    for transition in SMS_TRANSITIONS
    for source in transition.sources
}


def find_transition(state: str, event: SmsEvent) -> SmsTransition | None:
    return _BY_STATE_AND_EVENT.get((state, event))


def why_unreachable(sms: Sms) -> SmsEvent | None:
    """Return the event that suppresses the SMS; None if its recipient can be texted."""
    if not sms.recipient:
        return SmsEvent.NO_NUMBER
    return SmsEvent.OPTED_OUT if OptOut.objects.includes(sms.recipient) else None


def apply_event(
    sms: Sms, event: SmsEvent, *, job: Job, at: datetime, reason: str = ""
) -> SmsTransition | None:
    """Save the SMS in its new state, with its ledger line and outbox task.

    Return the transition; None if the event does not change an SMS in this state.
    """
    transition = find_transition(sms.state, event)
    if transition is None:
        return None
    sms.state = transition.target
    sms.reason = (reason or transition.reason)[:255]
    sms.needs_attention = transition.needs_attention
    sms.save()
    if transition.note:
        note = transition.note.format(reason=sms.reason)
        JobTransaction.objects.record(job, f"EVENT {sms.kind} SMS {note}", at=at)
    if transition.sends:
        OutboxTask.objects.enqueue(job, OutboxKind.SMS, str(sms.reference))
    return transition
