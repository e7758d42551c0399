"""The clock's door without Celery: AWS Lambda's invocations."""

from datetime import datetime
from typing import Any

from common.time_budget import HasTimeLeft
from dashboard import services


def ingest_events(*, at: datetime, has_time_left: HasTimeLeft) -> dict[str, Any]:
    """Copy what the data provider has reported since the last run."""
    done = services.ingest_events(at=at, has_time_left=has_time_left)
    return {
        "stored": done.stored,
        "known": done.known,
        "rejected": done.rejected,
        "turned_away": done.is_turned_away,
    }
