"""Settings under which an SMS could be sent twice, or to nobody."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from common.checks import SETTINGS
from repairjobs.errands import PATIENCE, RUN_SECONDS


@register(SETTINGS)
def check_leases(**kwargs: Any) -> list[CheckMessage]:
    """Whoever works on an errand must have ended before another worker may claim it."""
    lease, limit = settings.OUTBOX_LEASE.total_seconds(), settings.OUTBOX_TIME_LIMIT
    patience = PATIENCE.total_seconds()
    longest_run = RUN_SECONDS + patience + max(settings.VONAGE_TIMEOUT, settings.CLIENT_TIMEOUT)
    found: list[CheckMessage] = []
    if limit >= lease:
        found.append(
            Error(
                f"A worker may be at its errands for {limit:.0f} seconds, but what it claimed is "
                f"given to another one after {lease:.0f}.",
                hint="Raise OUTBOX_LEASE_SECONDS.",
                id="repairjobs.E001",
            )
        )
    if limit < longest_run:
        found.append(
            Error(
                f"A worker is killed after {limit:.0f} seconds at its errands, which may take "
                f"{longest_run:.0f}.",
                hint="Lower VONAGE_TIMEOUT, or raise OUTBOX_LEASE_SECONDS and the limit with it.",
                id="repairjobs.E002",
            )
        )
    if patience + 2 * settings.VONAGE_TIMEOUT > lease:
        found.append(
            Error(
                f"Sending an SMS may take {settings.VONAGE_TIMEOUT} seconds to connect and as "
                f"many to be answered; its claim ends after {lease:.0f}.",
                hint="Lower VONAGE_TIMEOUT, or raise OUTBOX_LEASE_SECONDS.",
                id="repairjobs.E003",
            )
        )
    return found


@register(SETTINGS)
def check_sms_backend(**kwargs: Any) -> list[CheckMessage]:
    """Whoever has a client's server must have said how SMS leave."""
    if settings.CLIENT_IS_EMBEDDED or settings.SMS_BACKEND_IS_NAMED:
        return []
    return [
        Error(
            "There is a real client, whose customers would be texted on standard output alone.",
            hint="Set SMS_BACKEND to vonage; or to console, if that is what you want.",
            id="repairjobs.E004",
        )
    ]
