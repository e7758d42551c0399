from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from common.checks import SETTINGS


@register(SETTINGS)
def check_lease(**kwargs: Any) -> list[CheckMessage]:
    """A run renews its lease after each page, so the lease must outlast the slowest page."""
    lease, page_timeout = settings.INGEST_LEASE.total_seconds(), settings.DATA_PROVIDER_TIMEOUTS[-1]
    if lease > page_timeout:
        return []
    return [
        Error(
            f"INGEST_LEASE_SECONDS ({lease:.0f}) is not longer than the timeout of a page "
            f"({page_timeout:.0f} seconds); a second run could start while the first one waits.",
            hint="Raise INGEST_LEASE_SECONDS.",
            id="dashboard.E001",
        )
    ]
