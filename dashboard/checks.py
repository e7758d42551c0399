from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from common.checks import SETTINGS


@register(SETTINGS)
def check_lease(**kwargs: Any) -> list[CheckMessage]:
    """Check that the lease is longer than the slowest page. A run renews it after each page."""
    lease, page_timeout = settings.INGEST_LEASE.total_seconds(), settings.DATA_PROVIDER_TIMEOUTS[-1]
    if lease > page_timeout:
        return []
    return [
        Error(
            f"INGEST_LEASE_SECONDS ({lease:.0f}) is not longer than the timeout of a page "
            f"({page_timeout:.0f} seconds). A second run could start while the first run waits.",
            hint="Raise INGEST_LEASE_SECONDS.",
            id="dashboard.E001",
        )
    ]
