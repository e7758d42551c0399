"""The scheduled jobs, in one table for Celery beat, AWS Lambda and ``manage.py run_job``."""

from dataclasses import asdict
from datetime import datetime

from django.conf import settings

from common.http_client import RemoteServiceUnavailable
from common.scheduled import Counts, ScheduledJob
from common.time_budget import HasTimeLeft
from dashboard.services import ingestion


def ingest_events(*, at: datetime, has_time_left: HasTimeLeft) -> Counts:
    """Copy the events that the data provider has reported since the last run."""
    result = ingestion.ingest_events(at=at, has_time_left=has_time_left)
    if not (result.stored or result.rejected or result.already_running):
        return {}  # no log line: every run reads some known events again
    return asdict(result)


SCHEDULED_JOBS = [
    ScheduledJob(
        name="ingest_events",
        run=ingest_events,
        every=settings.INGEST_SECONDS,
        expected_errors=(RemoteServiceUnavailable,),
    ),
]
