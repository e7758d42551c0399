from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from common.checks import SETTINGS


@register(SETTINGS)
def check_lease(**kwargs: Any) -> list[CheckMessage]:
    """A run, which renews its lease page by page, must not lose it while it waits for one."""
    lease, longest = settings.INGEST_LEASE.total_seconds(), settings.DATA_PROVIDER_TIMEOUTS[-1]
    if lease > longest:
        return []
    return [
        Error(
            f"A page of the provider's may take {longest:.0f} seconds, but another run begins "
            f"after {lease:.0f}.",
            hint="Raise INGEST_LEASE_SECONDS.",
            id="dashboard.E001",
        )
    ]
