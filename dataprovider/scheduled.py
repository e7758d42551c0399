"""The scheduled jobs, in one table for Celery beat, AWS Lambda and ``manage.py run_job``."""

import random
from datetime import datetime

from django.conf import settings

from common.http_client import RemoteServiceUnavailable
from common.scheduled import Counts, ScheduledJob
from common.time_budget import HasTimeLeft
from dataprovider.demo.hotel import DEMO_HOTELS
from dataprovider.demo.simulator import simulate_guest


def simulate_events(*, at: datetime, has_time_left: HasTimeLeft) -> Counts:
    """Let guests of one demo hotel book or cancel."""
    rng = random.Random()
    reported = simulate_guest(hotel_id=rng.choice(DEMO_HOTELS), at=at, rng=rng)
    return {"reported": reported}


SCHEDULED_JOBS = [
    ScheduledJob(
        name="simulate_events",
        run=simulate_events,
        every=settings.SIMULATE_SECONDS if settings.DEMO else None,
        expected_errors=(RemoteServiceUnavailable,),
    ),
]
