"""The checks of a request that a fast path answers without Django's middleware."""

from typing import TYPE_CHECKING, Any

from django.conf import settings

from common.api_keys.cache import ApiKeysUnavailable, api_key_cache
from common.rate_limits import client_address, rate_limiter

if TYPE_CHECKING:
    pass  # which reads this module's names from the settings
from common.api.throttling import COUNTED


def is_allowed(environ: dict[str, Any], service: str) -> bool:
    """For hot paths: whether a request is welcome; if not, the full view has the words for it."""
    caller = client_address(environ)
    if settings.API_KEYS_REQUIRED:
        try:
            found = api_key_cache.find(environ.get("HTTP_AUTHORIZATION", ""))
        except ApiKeysUnavailable:
            return False
        if found is None or service not in found.services:
            return False
        caller = found.prefix
    # Whatever the hot path hands on is not counted again.
    environ[COUNTED] = rate_limiter().count(service, caller) is None
    return bool(environ[COUNTED])


def is_secure(environ: dict[str, Any]) -> bool:
    """Whether a request came by HTTPS, as Django would say."""
    if settings.TRUST_PROXY:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        return bool(environ.get(name, "").partition(",")[0].strip() == value)
    return bool(environ["wsgi.url_scheme"] == "https")
