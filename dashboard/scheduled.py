"""What runs when: the table that Celery beat, AWS Lambda and ``manage.py run_job`` read."""

from datetime import datetime

from django.conf import settings

from common.scheduled import Counts, ScheduledJob
from common.time_budget import HasTimeLeft
from dashboard.integrations.data_provider import ProviderUnavailable
from dashboard.services import ingestion as services


def ingest_events(*, at: datetime, has_time_left: HasTimeLeft) -> Counts:
    """Copy the events that the data provider has reported since the last run."""
    done = services.ingest_events(at=at, has_time_left=has_time_left)
    return {
        "stored": done.stored,
        "known": done.known,
        "rejected": done.rejected,
        "already_running": done.is_turned_away,
    }


SCHEDULED_JOBS = [
    ScheduledJob(
        name="ingest_events",
        run=ingest_events,
        every=settings.INGEST_SECONDS,
        expected_errors=(ProviderUnavailable,),
    ),
]
