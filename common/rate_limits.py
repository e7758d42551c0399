"""Rate limits per caller and service (``RATE_LIMIT``)."""

import logging
import math
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.conf import settings
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

logger = logging.getLogger(__name__)

# While Redis is unavailable, each process counts its own requests. After this time it tries Redis
# again.
RETRY_SECONDS = 10.0
SHARED_OPTIONS = {"socket_timeout": 0.25, "socket_connect_timeout": 0.25}


@cache
def _rate(text: str) -> RateLimitItem:
    return parse(text)


class RateLimiter:
    """Counts requests in fixed windows, in this process or in a shared Redis database."""

    def __init__(self, url: str = "") -> None:
        self._local = FixedWindowRateLimiter(storage_from_string("memory://"))
        self._shared = None
        if url:
            storage = storage_from_string(url, wrap_exceptions=True, **SHARED_OPTIONS)
            self._shared = FixedWindowRateLimiter(storage)
        self._retry_at = float("-inf")

    def count(self, service: str, caller: str) -> int | None:
        """Count a request. Return the seconds to wait, or None if the request is allowed."""
        if not settings.RATE_LIMIT:
            return None
        rate = _rate(settings.RATE_LIMIT)
        if self._shared is not None and time.monotonic() >= self._retry_at:
            try:
                return _hit(self._shared, rate, service, caller)
            except StorageError as error:
                self._retry_at = time.monotonic() + RETRY_SECONDS
                logger.warning(
                    "RATE_LIMIT_URL is unavailable, counting locally: %s", type(error).__name__
                )
        return _hit(self._local, rate, service, caller)


def _hit(
    limiter: FixedWindowRateLimiter, rate: RateLimitItem, service: str, caller: str
) -> int | None:
    if limiter.hit(rate, service, caller):
        return None
    window = limiter.get_window_stats(rate, service, caller)
    return max(1, math.ceil(window.reset_time - time.time()))


@cache
def rate_limiter() -> RateLimiter:
    return RateLimiter(settings.RATE_LIMIT_URL)


def client_address(environ: Mapping[str, Any]) -> str:
    """Return the caller's IP address, with ``TRUST_PROXY`` from the proxy's header."""
    reported = ""
    if settings.TRUST_PROXY:
        reported = str(environ.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip()
    return reported[:64] or str(environ.get("REMOTE_ADDR", ""))
