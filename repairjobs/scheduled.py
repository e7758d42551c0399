"""The scheduled jobs, in one table for Celery beat, AWS Lambda and ``manage.py run_job``."""

import logging
import random
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from common.http_client import RemoteServiceUnavailable
from common.scheduled import Counts, ScheduledJob
from common.time_budget import HasTimeLeft
from repairjobs.demo import simulator
from repairjobs.integrations.client_database import ClientUnavailable
from repairjobs.integrations.documents.base import DocumentsUnavailable
from repairjobs.models import Job
from repairjobs.services import job_import, job_sync, reconciliation
from repairjobs.services.outbox.base import TaskKind
from repairjobs.services.outbox.registry import TASK_KINDS
from repairjobs.services.outbox.runner import RUN_SECONDS, run_outbox

logger = logging.getLogger(__name__)


def collect_jobs(*, at: datetime, has_time_left: HasTimeLeft) -> Counts:
    """Import the client's NEW jobs."""
    return {"imported": job_import.import_new_jobs(at=at, has_time_left=has_time_left)}


def sweep_jobs(*, at: datetime, has_time_left: HasTimeLeft) -> Counts:
    """Import the NEW jobs in the next part of the client's table (full scan)."""
    return {"imported": job_import.scan_table(at=at)}


def follow_jobs(*, at: datetime, has_time_left: HasTimeLeft) -> Counts:
    """Sync the jobs under way with the client's table."""
    start = Job.objects.under_way().random_id()
    return {"changed": job_sync.sync_jobs(at=at, start=start, has_time_left=has_time_left)}


def outbox_job(kind: type[TaskKind]) -> ScheduledJob:
    """Return the job that runs the outbox tasks of a kind."""

    def run(*, at: datetime, has_time_left: HasTimeLeft) -> Counts:
        return {"tried": run_outbox(kind, clock=timezone.now, has_time_left=has_time_left)}

    return ScheduledJob(
        name=f"run_{kind.name}_outbox",
        run=run,
        every=settings.OUTBOX_SECONDS,
        time_budget=RUN_SECONDS,
        time_limit=settings.OUTBOX_TIME_LIMIT,
    )


def reconcile_jobs(*, at: datetime, has_time_left: HasTimeLeft) -> Counts:
    """Compare client, jobs and documents. Log the differences that a second comparison confirms.

    The second comparison excludes differences of work that was only in progress.
    """
    compared: list[int] = []
    start = Job.objects.all().random_id()
    differences = list(
        reconciliation.differences(
            progress=compared.append, start=start, has_time_left=has_time_left
        )
    )
    confirmed = list(reconciliation.confirmed(differences))
    for difference in confirmed:
        logger.warning("Different: %s", difference)
    return {"compared": sum(compared), "different": len(confirmed)}


def simulate_client(*, at: datetime, has_time_left: HasTimeLeft) -> Counts:
    """Simulate some work of the demo's repair shop."""
    simulator.simulate_client(rng=random.Random())
    return {}


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
    *(outbox_job(kind) for kind in TASK_KINDS),
    ScheduledJob(
        name="reconcile_jobs",
        run=reconcile_jobs,
        every=None,  # nightly on AWS Lambda; elsewhere use cron with `manage.py run_job`
        expected_errors=(ClientUnavailable, DocumentsUnavailable),
    ),
    ScheduledJob(
        name="simulate_client",
        run=simulate_client,
        every=settings.SIMULATE_SECONDS if settings.DEMO and settings.CLIENT_SANDBOX else None,
        expected_errors=(RemoteServiceUnavailable,),
    ),
]
