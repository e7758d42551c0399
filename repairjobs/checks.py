"""Checks of settings that could send an SMS twice or not at all."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from common.checks import SETTINGS
from repairjobs.services.outbox.runner import RUN_SECONDS
from repairjobs.services.outbox.sms_task import MAX_SLOT_WAIT


@register(SETTINGS)
def check_leases(**kwargs: Any) -> list[CheckMessage]:
    """Check that every worker stops before another worker can claim its tasks."""
    lease, limit = settings.OUTBOX_LEASE.total_seconds(), settings.OUTBOX_TIME_LIMIT
    slot_wait = MAX_SLOT_WAIT.total_seconds()
    longest_run = RUN_SECONDS + slot_wait + max(settings.VONAGE_TIMEOUT, settings.CLIENT_TIMEOUT)
    problems: list[CheckMessage] = []
    if limit >= lease:
        problems.append(
            Error(
                f"The outbox lease ({lease:.0f} s) is not longer than a worker's time limit "
                f"({limit:.0f} s). Another worker could claim tasks that are still running.",
                hint="Raise OUTBOX_LEASE_SECONDS.",
                id="repairjobs.E001",
            )
        )
    if limit < longest_run:
        problems.append(
            Error(
                f"Celery kills a worker after {limit:.0f} s, but a run of the outbox may take "
                f"{longest_run:.0f} s.",
                hint="Lower VONAGE_TIMEOUT, or raise the limit by raising OUTBOX_LEASE_SECONDS.",
                id="repairjobs.E002",
            )
        )
    if slot_wait + 2 * settings.VONAGE_TIMEOUT > lease:
        problems.append(
            Error(
                f"An SMS may take {settings.VONAGE_TIMEOUT} s to connect and "
                f"{settings.VONAGE_TIMEOUT} s for the response, but its lease ends after "
                f"{lease:.0f} s.",
                hint="Lower VONAGE_TIMEOUT or raise OUTBOX_LEASE_SECONDS.",
                id="repairjobs.E003",
            )
        )
    return problems


@register(SETTINGS)
def check_sms_backend(**kwargs: Any) -> list[CheckMessage]:
    """Check that SMS_BACKEND is set explicitly if the client's database is on a server."""
    if settings.CLIENT_IS_EMBEDDED or settings.SMS_BACKEND_IS_NAMED:
        return []
    return [
        Error(
            "The client's database is on a server, but SMS_BACKEND is not set. SMS would only be "
            "printed.",
            hint="Set SMS_BACKEND to vonage, or to console if SMS should only be printed.",
            id="repairjobs.E004",
        )
    ]
