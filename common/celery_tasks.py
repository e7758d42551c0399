"""Celery tasks and the beat schedule, made from the tables of scheduled jobs."""

from collections.abc import Iterable
from typing import Any

from celery import Celery, shared_task
from django.utils import timezone

from common.scheduled import ScheduledJob, run_job
from common.service import served_services


def register_tasks(service: str, jobs: Iterable[ScheduledJob]) -> None:
    """Register one Celery task per scheduled job, named ``service.job``."""
    for job in jobs:
        _register_task(service, job)


def _register_task(service: str, job: ScheduledJob) -> None:
    options: dict[str, Any] = {"name": task_name(service, job), "throws": job.expected_errors}
    if job.time_limit is not None:
        options["time_limit"] = job.time_limit

    def task() -> None:
        run_job(job, at=timezone.now())

    shared_task(**options)(task)


def schedule_jobs(app: Celery) -> None:
    """Add every scheduled job of this process to the beat schedule."""
    for service in served_services():
        for job in service.scheduled_jobs():
            if job.every is not None:
                name = task_name(service.name, job)
                # When the next message is due, the previous one is obsolete.
                app.add_periodic_task(job.every, app.signature(name), name=name, expires=job.every)


def task_name(service: str, job: ScheduledJob) -> str:
    return f"{service}.{job.name}"
