"""JSON content of the responses. The views and the fast path share it."""

from collections.abc import Iterable, Sequence
from typing import Any

from rest_framework import status

from stats.api.validation import JSON_NAMES, format_message
from stats.models import Interval, Total, format_amount
from stats.services.recording import Outcome


def outcome_response(outcome: Outcome) -> tuple[int, dict[str, Any]]:
    """Return status and content of the response to one message."""
    if not outcome.conflicts:
        code = status.HTTP_201_CREATED if outcome.is_new else status.HTTP_200_OK
        return code, format_message(outcome.stored)
    stored, sent = format_message(outcome.stored), format_message(outcome.sent)
    names = [JSON_NAMES[name] for name in outcome.conflicts]
    return status.HTTP_409_CONFLICT, {
        "detail": f"A message with the uuid {outcome.sent.uuid} is stored with other content.",
        "conflicts": {name: {"stored": stored[name], "sent": sent[name]} for name in names},
    }


def batch_response(indexes: Iterable[int], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the content of the response to a batch, without its rejected items."""
    accepted, conflicts = 0, []
    for index, outcome in zip(indexes, outcomes, strict=True):
        if outcome.is_new:
            accepted += 1
        elif outcome.conflicts:
            fields = [JSON_NAMES[name] for name in outcome.conflicts]
            conflicts.append({"index": index, "uuid": outcome.sent.uuid, "fields": fields})
    return {
        "accepted": accepted,
        "duplicates": len(outcomes) - accepted - len(conflicts),
        "conflicts": conflicts,
    }


def format_total(total: Total, interval: Interval | None) -> dict[str, Any]:
    """Return one row of ``GET /stats``."""
    period: dict[str, str] = {}
    if interval and total.period:
        period[interval.name] = interval.format(total.period)
    return {
        "customerId": total.customer_id,
        "type": total.type,
        **period,
        "count": total.messages,
        "totalAmount": format_amount(total.amount_thousandths),
    }
