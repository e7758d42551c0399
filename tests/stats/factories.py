from datetime import UTC, datetime
from uuid import uuid4

from stats.services.bulk_insert import Content

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def sent(**fields):
    """A message as a program sends it, with a new uuid."""
    message = {"customerId": 1, "type": "A", "amount": "0.012", "uuid": str(uuid4())}
    return message | fields


def content(**fields):
    """A message as the services take it, with a new uuid, whose sender gave no timestamp."""
    message = {
        "uuid": str(uuid4()),
        "customer_id": 1,
        "type": "A",
        "thousandths": 12,
        "timestamp": NOON,
        "is_timed": False,
    }
    return Content(**message | fields)
