"""The valid API keys, cached in memory: a request with a known key needs no query."""

import threading
from datetime import datetime
from time import monotonic
from typing import NamedTuple

from django.db import InterfaceError, OperationalError, connections
from django.utils import timezone

from common.api_keys.models import ApiKey

# Reload interval. A revoked key may be accepted for this long.
RELOAD_SECONDS = 5.0
# Minimum reload interval. A new key may go unrecognised for this long.
MIN_RELOAD_SECONDS = 1.0
# Cached keys stay valid for this long while the database is unavailable.
MAX_UNAVAILABLE_SECONDS = 300.0
# Minimum interval between two attempts to reload while the database is unavailable.
RETRY_SECONDS = 5.0
# A request with an unknown key waits at most this long for another thread's reload.
MAX_WAIT_SECONDS = 2.0

KEYWORD = "Api-Key"
MAX_KEY_LENGTH = 128


class ApiKeyIdentity(NamedTuple):
    """The owner of a key, and the rights of the key."""

    prefix: str
    services: frozenset[str]
    sees_personal_data: bool
    expires_at: datetime | None


class ApiKeysUnavailable(Exception):
    """The key is not in the cache, and the database of the keys is unavailable."""


class ApiKeyCache:
    """All valid keys by digest. Reloaded when they are old, or when an unknown key arrives."""

    def __init__(self) -> None:
        self._reload_lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        self._identities: dict[str, ApiKeyIdentity] = {}
        self._loaded_at = self._tried_at = float("-inf")
        self._is_unavailable = False

    def find(self, authorization: str) -> ApiKeyIdentity | None:
        """Return the identity of the key in an ``Authorization`` header; None if it is invalid.

        :raises ApiKeysUnavailable: if the key cannot be checked.
        """
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != KEYWORD.lower() or not 0 < len(key) <= MAX_KEY_LENGTH:
            return None
        digest = ApiKey.objects.digest(key)
        if self._is_due(RELOAD_SECONDS):
            # A request with a known key does not wait for another thread's reload.
            self._reload(wait=0.0 if digest in self._identities else MAX_WAIT_SECONDS)
        if digest not in self._identities and self._is_due(MIN_RELOAD_SECONDS):
            self._reload(wait=MAX_WAIT_SECONDS)
        identity = self._identities.get(digest)
        if identity is None and self._is_unavailable:
            raise ApiKeysUnavailable("the database of the API keys is unavailable")
        if identity and identity.expires_at and identity.expires_at <= timezone.now():
            return None
        return identity

    def _is_due(self, seconds: float) -> bool:
        min_interval = RETRY_SECONDS if self._is_unavailable else MIN_RELOAD_SECONDS
        now = monotonic()
        return now - self._loaded_at >= seconds and now - self._tried_at >= min_interval

    def _reload(self, *, wait: float) -> None:
        if not self._reload_lock.acquire(timeout=wait):
            if wait:
                raise ApiKeysUnavailable("the database of the API keys does not respond")
            return
        try:
            if self._is_due(MIN_RELOAD_SECONDS):
                self._reload_now()
        finally:
            self._reload_lock.release()

    def _reload_now(self) -> None:
        started_at = monotonic()
        try:
            self._identities = _load_with_retry()
            self._loaded_at, self._is_unavailable = started_at, False
        except (OperationalError, InterfaceError):
            self._is_unavailable = True
            if started_at - self._loaded_at > MAX_UNAVAILABLE_SECONDS:
                self._identities = {}
        self._tried_at = monotonic()


def _load_with_retry() -> dict[str, ApiKeyIdentity]:
    try:
        return _load()
    except (OperationalError, InterfaceError):
        # The fast path runs outside Django's request handling, which would close a broken
        # connection.
        if not connections["default"].in_atomic_block:
            connections["default"].close()
        return _load()


def _load() -> dict[str, ApiKeyIdentity]:
    rows = ApiKey.objects.valid_now().values_list(
        "hashed_key", "prefix", "services", "sees_personal_data", "expiry_date"
    )
    return {
        digest: ApiKeyIdentity(prefix, frozenset(services), sees, expires_at)
        for digest, prefix, services, sees, expires_at in rows
    }


api_key_cache = ApiKeyCache()
