"""How many requests a caller may make of a service (``RATE_LIMIT``)."""

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

# While the shared counts are away each process counts alone, and asks for them again after this.
AWAY_SECONDS = 10.0
SHARED_OPTIONS = {"socket_timeout": 0.25, "socket_connect_timeout": 0.25}


@cache
def _rate(spelled: str) -> RateLimitItem:
    return parse(spelled)


class RateLimiter:
    """Counts of requests in fixed windows: in this process, or in a store that several share."""

    def __init__(self, url: str = "") -> None:
        self._own = FixedWindowRateLimiter(storage_from_string("memory://"))
        self._shared = None
        if url:
            storage = storage_from_string(url, wrap_exceptions=True, **SHARED_OPTIONS)
            self._shared = FixedWindowRateLimiter(storage)
        self._away_until = float("-inf")

    def count(self, service: str, caller: str) -> int | None:
        """Count a request. Return None if it is welcome, else the seconds to wait."""
        if not settings.RATE_LIMIT:
            return None
        rate = _rate(settings.RATE_LIMIT)
        if self._shared is not None and time.monotonic() >= self._away_until:
            try:
                return _hit(self._shared, rate, service, caller)
            except StorageError as error:
                self._away_until = time.monotonic() + AWAY_SECONDS
                logger.warning("RATE_LIMIT_URL is away, counting alone: %s", type(error).__name__)
        return _hit(self._own, rate, service, caller)


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
    """Where a request comes from, by the proxy in front of us if there is one to be trusted."""
    seen_by_proxy = ""
    if settings.TRUST_PROXY:
        seen_by_proxy = str(environ.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip()
    return seen_by_proxy[:64] or str(environ.get("REMOTE_ADDR", ""))
