from datetime import UTC, datetime
from uuid import uuid4

from stats.models import MessageData

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def message_json(**fields):
    """Return a message as a program sends it, with a new uuid."""
    message = {"customerId": 1, "type": "A", "amount": "0.012", "uuid": str(uuid4())}
    return message | fields


def message_data(**fields):
    """Return a message as the services take it, with a new uuid and our own timestamp."""
    message = {
        "uuid": str(uuid4()),
        "customer_id": 1,
        "type": "A",
        "amount_thousandths": 12,
        "timestamp": NOON,
        "has_sender_timestamp": False,
    }
    return MessageData(**message | fields)
