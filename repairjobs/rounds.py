"""The clock's door without Celery: AWS Lambda's invocations."""

import logging
import random
from datetime import datetime

from django.utils import timezone

from common.time_budget import HasTimeLeft
from repairjobs import errands, simulation
from repairjobs.models import ErrandKind, Job
from repairjobs.reconciliation import differences, lasting
from repairjobs.services import collecting, following

logger = logging.getLogger(__name__)


def collect_jobs(*, at: datetime, has_time_left: HasTimeLeft) -> dict[str, int]:
    """Take over the client's NEW jobs."""
    return {"collected": collecting.collect_jobs(at=at, has_time_left=has_time_left)}


def sweep_jobs(*, at: datetime, has_time_left: HasTimeLeft) -> dict[str, int]:
    """Look for NEW jobs in another stretch of the client's whole table."""
    return {"collected": collecting.sweep_jobs(at=at)}


def follow_jobs(*, at: datetime, has_time_left: HasTimeLeft) -> dict[str, int]:
    """See what became of the jobs under way."""
    start = Job.objects.under_way().anywhere()
    return {"changed": following.follow_jobs(at=at, start=start, has_time_left=has_time_left)}


def run_document_errands(*, at: datetime, has_time_left: HasTimeLeft) -> dict[str, int]:
    """Write the documents that are owed."""
    return _run_errands(ErrandKind.DOCUMENT, has_time_left)


def run_sms_errands(*, at: datetime, has_time_left: HasTimeLeft) -> dict[str, int]:
    """Send the SMS that are owed."""
    return _run_errands(ErrandKind.SMS, has_time_left)


def run_status_errands(*, at: datetime, has_time_left: HasTimeLeft) -> dict[str, int]:
    """Tell the client the statuses that are owed."""
    return _run_errands(ErrandKind.STATUS, has_time_left)


def reconcile_jobs(*, at: datetime, has_time_left: HasTimeLeft) -> dict[str, int]:
    """Compare client, jobs and documents, and log each difference that is there at a second look.

    What was on its way at the first has arrived by then, or is worth a line.
    """
    compared: list[int] = []
    start = Job.objects.all().anywhere()
    found = list(differences(progress=compared.append, start=start, has_time_left=has_time_left))
    still = list(lasting(found))
    for difference in still:
        logger.warning("Different: %s", difference)
    return {"compared": sum(compared), "different": len(still)}


def simulate_client(*, at: datetime, has_time_left: HasTimeLeft) -> dict[str, int]:
    """Let something happen in the demo's repair shop."""
    simulation.simulate_client(chance=random.Random())
    return {}


def _run_errands(kind: ErrandKind, has_time_left: HasTimeLeft) -> dict[str, int]:
    return {"tried": errands.run_errands(kind, clock=timezone.now, has_time_left=has_time_left)}
