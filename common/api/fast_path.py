"""Access checks for a fast path, which answers requests without Django's middleware."""

from typing import Any

from django.conf import settings

from common.api.throttling import COUNTED
from common.api_keys.cache import ApiKeysUnavailable, api_key_cache
from common.rate_limits import client_address, rate_limiter


def is_allowed(environ: dict[str, Any], service: str) -> bool:
    """Return whether the API key is valid and the rate limit allows the request.

    If not, the fast path must pass the request to the ordinary view, which returns the error.
    """
    caller = client_address(environ)
    if settings.API_KEYS_REQUIRED:
        try:
            identity = api_key_cache.find(environ.get("HTTP_AUTHORIZATION", ""))
        except ApiKeysUnavailable:
            return False
        if identity is None or service not in identity.services:
            return False
        caller = identity.prefix
    # The ordinary view does not count this request a second time.
    environ[COUNTED] = rate_limiter().count(service, caller) is None
    return bool(environ[COUNTED])


def is_secure(environ: dict[str, Any]) -> bool:
    """Return the same as Django's ``request.is_secure()``."""
    if settings.TRUST_PROXY:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        return bool(environ.get(name, "").partition(",")[0].strip() == value)
    return bool(environ["wsgi.url_scheme"] == "https")
