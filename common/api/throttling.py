"""The rate limit of the API's views (``RATE_LIMIT``)."""

from typing import TYPE_CHECKING

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from common.api.permissions import service_of
from common.api_keys.cache import ApiKeyIdentity
from common.rate_limits import client_address, rate_limiter

if TYPE_CHECKING:
    # At run time this import would be circular: DRF's views import the throttle classes.
    from rest_framework.views import APIView

# A fast path sets this key of a request's environ after it has counted the request.
COUNTED = "common.request_counted"


class CallerRateThrottle(BaseThrottle):
    """Count requests per caller and service."""

    seconds: int | None = None

    def allow_request(self, request: Request, view: "APIView") -> bool:
        if request.META.pop(COUNTED, False):
            return True
        self.seconds = rate_limiter().count(service_of(view), self._caller(request))
        return self.seconds is None

    def wait(self) -> float | None:
        return self.seconds

    def _caller(self, request: Request) -> str:
        if isinstance(request.auth, ApiKeyIdentity):
            return request.auth.prefix
        if request.user is not None:
            return f"user {request.user.pk}"
        return client_address(request.META)
