"""Scheduled jobs: how long a run may take, and what ends it."""

from datetime import UTC, datetime

import pytest
from django.conf import settings

from common.scheduled import ScheduledJob, run_job, scheduled_jobs
from repairjobs.services.outbox.sms_task import MAX_SLOT_WAIT

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def ask_for_time(*, at, has_time_left):
    return {"has_time_left": has_time_left()}


def job(**options):
    return ScheduledJob(name="ask_for_time", run=ask_for_time, every=None, **options)


def test_a_run_without_a_time_budget_is_unlimited():
    assert run_job(job(), at=NOON) == {"has_time_left": True}


def test_a_run_ends_when_the_time_budget_of_its_job_is_used_up():
    assert run_job(job(time_budget=0.0), at=NOON) == {"has_time_left": False}


def test_the_time_of_the_caller_replaces_the_time_budget_of_the_job():
    counts = run_job(job(time_budget=0.0), at=NOON, has_time_left=lambda: True)

    assert counts == {"has_time_left": True}


@pytest.mark.parametrize("name", ["run_document_outbox", "run_sms_outbox", "run_status_outbox"])
def test_an_outbox_run_ends_before_celery_kills_it(name):
    (outbox_job,) = [job for job in scheduled_jobs() if job.name == name]

    last_task = MAX_SLOT_WAIT.total_seconds() + settings.VONAGE_TIMEOUT

    assert outbox_job.time_budget is not None
    assert outbox_job.time_budget + last_task < outbox_job.time_limit
