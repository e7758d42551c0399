"""What runs when: the table that Celery beat, AWS Lambda and ``manage.py run_job`` read."""

import logging
import random
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from common.scheduled import Counts, ScheduledJob
from common.time_budget import HasTimeLeft
from repairjobs import errands, simulation
from repairjobs.client import ClientUnavailable
from repairjobs.documents import DocumentsUnavailable
from repairjobs.models import ErrandKind, Job
from repairjobs.reconciliation import differences, lasting
from repairjobs.sandbox_api import SandboxUnavailable
from repairjobs.services import collecting, following

logger = logging.getLogger(__name__)


def collect_jobs(*, at: datetime, has_time_left: HasTimeLeft) -> Counts:
    """Take over the client's NEW jobs."""
    return {"imported": collecting.collect_jobs(at=at, has_time_left=has_time_left)}


def sweep_jobs(*, at: datetime, has_time_left: HasTimeLeft) -> Counts:
    """Look for NEW jobs in another stretch of the client's whole table."""
    return {"imported": collecting.sweep_jobs(at=at)}


def follow_jobs(*, at: datetime, has_time_left: HasTimeLeft) -> Counts:
    """See what became of the jobs under way."""
    start = Job.objects.under_way().anywhere()
    return {"changed": following.follow_jobs(at=at, start=start, has_time_left=has_time_left)}


def run_document_outbox(*, at: datetime, has_time_left: HasTimeLeft) -> Counts:
    """Write the documents that are owed."""
    return _run_errands(ErrandKind.DOCUMENT, has_time_left)


def run_sms_outbox(*, at: datetime, has_time_left: HasTimeLeft) -> Counts:
    """Send the SMS that are owed."""
    return _run_errands(ErrandKind.SMS, has_time_left)


def run_status_outbox(*, at: datetime, has_time_left: HasTimeLeft) -> Counts:
    """Tell the client the statuses that are owed."""
    return _run_errands(ErrandKind.STATUS, has_time_left)


def reconcile_jobs(*, at: datetime, has_time_left: HasTimeLeft) -> Counts:
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


def simulate_client(*, at: datetime, has_time_left: HasTimeLeft) -> Counts:
    """Let something happen in the demo's repair shop."""
    simulation.simulate_client(chance=random.Random())
    return {}


def _run_errands(kind: ErrandKind, has_time_left: HasTimeLeft) -> Counts:
    return {"tried": errands.run_errands(kind, clock=timezone.now, has_time_left=has_time_left)}


SCHEDULED_JOBS = [
    ScheduledJob(
        name="collect_jobs",
        run=collect_jobs,
        every=settings.COLLECT_SECONDS,
        expected_errors=(ClientUnavailable,),
    ),
    ScheduledJob(
        name="sweep_jobs",
        run=sweep_jobs,
        every=settings.SWEEP_SECONDS,
        expected_errors=(ClientUnavailable,),
    ),
    ScheduledJob(
        name="follow_jobs",
        run=follow_jobs,
        every=settings.FOLLOW_SECONDS,
        expected_errors=(ClientUnavailable,),
    ),
    # One job per kind: a slow outside system delays only its own kind.
    ScheduledJob(
        name="run_document_outbox",
        run=run_document_outbox,
        every=settings.OUTBOX_SECONDS,
        time_limit=settings.OUTBOX_TIME_LIMIT,
    ),
    ScheduledJob(
        name="run_sms_outbox",
        run=run_sms_outbox,
        every=settings.OUTBOX_SECONDS,
        time_limit=settings.OUTBOX_TIME_LIMIT,
    ),
    ScheduledJob(
        name="run_status_outbox",
        run=run_status_outbox,
        every=settings.OUTBOX_SECONDS,
        time_limit=settings.OUTBOX_TIME_LIMIT,
    ),
    ScheduledJob(
        name="reconcile_jobs",
        run=reconcile_jobs,
        every=None,  # nightly on AWS Lambda; elsewhere a cron entry of `manage.py run_job`
        expected_errors=(ClientUnavailable, DocumentsUnavailable),
    ),
    ScheduledJob(
        name="simulate_client",
        run=simulate_client,
        every=settings.SIMULATE_SECONDS if settings.DEMO and settings.CLIENT_SANDBOX else None,
        expected_errors=(SandboxUnavailable,),
    ),
]
