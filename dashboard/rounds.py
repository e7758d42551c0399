"""The clock's door without Celery: AWS Lambda's invocations."""

from datetime import datetime
from typing import Any

from common.time_budget import KeepGoing
from dashboard import services


def ingest_events(*, at: datetime, keep_going: KeepGoing) -> dict[str, Any]:
    """Copy what the data provider has reported since the last run."""
    done = services.ingest_events(at=at, keep_going=keep_going)
    return {
        "stored": done.stored,
        "known": done.known,
        "rejected": done.rejected,
        "turned_away": done.is_turned_away,
    }
