"""The API keys that are valid, held in memory: a request with a key costs no query."""

import threading
from datetime import datetime
from time import monotonic
from typing import NamedTuple

from django.db import InterfaceError, OperationalError, connections
from django.utils import timezone

from common.api_keys.models import ApiKey

# A key that was revoked stops after so many seconds at the latest.
FRESH_SECONDS = 5.0
# Nothing makes a process read its keys more often, so one it does not know may be new for so long.
PAUSE_SECONDS = 1.0
# While their store is away keys stay known: nobody can revoke one in it, either.
MAX_UNAVAILABLE_SECONDS = 300.0
AWAY_PAUSE_SECONDS = 5.0
# A request with an unknown key waits no longer for another one's reading.
MAX_WAIT_SECONDS = 2.0

KEYWORD = "Api-Key"
MAX_KEY_LENGTH = 128


class ApiKeyIdentity(NamedTuple):
    """Whose key it is, and what it opens."""

    prefix: str
    services: frozenset[str]
    sees_personal_data: bool
    expires_at: datetime | None


class ApiKeysUnavailable(Exception):
    """The store of the keys is away, and this key is not known here."""


class ApiKeyCache:
    """All valid keys by their digests, read again when they are old or an unknown key comes."""

    def __init__(self) -> None:
        self._reading = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._callers: dict[str, ApiKeyIdentity] = {}
        self._read_at = self._tried_at = float("-inf")
        self._is_away = False

    def find(self, authorization: str) -> ApiKeyIdentity | None:
        """Return whose key this ``Authorization`` header holds; None if there is no valid one.

        :raises ApiKeysUnavailable:
        """
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != KEYWORD.lower() or not 0 < len(key) <= MAX_KEY_LENGTH:
            return None
        digest = ApiKey.objects.digest(key)
        if self._is_due(FRESH_SECONDS):
            # Whoever is known does not wait while another thread reads.
            self._read(wait=0.0 if digest in self._callers else MAX_WAIT_SECONDS)
        if digest not in self._callers and self._is_due(PAUSE_SECONDS):
            self._read(wait=MAX_WAIT_SECONDS)
        caller = self._callers.get(digest)
        if caller is None and self._is_away:
            raise ApiKeysUnavailable("the API keys' store is away")
        if caller and caller.expires_at and caller.expires_at <= timezone.now():
            return None
        return caller

    def _is_due(self, seconds: float) -> bool:
        now, pause = monotonic(), AWAY_PAUSE_SECONDS if self._is_away else PAUSE_SECONDS
        return now - self._read_at >= seconds and now - self._tried_at >= pause

    def _read(self, *, wait: float) -> None:
        if not self._reading.acquire(timeout=wait):
            if wait:
                raise ApiKeysUnavailable("the API keys' store does not answer")
            return
        try:
            if self._is_due(PAUSE_SECONDS):
                self._read_now()
        finally:
            self._reading.release()

    def _read_now(self) -> None:
        began = monotonic()
        try:
            self._callers, self._read_at, self._is_away = _valid_keys(), began, False
        except (OperationalError, InterfaceError):
            self._is_away = True
            if began - self._read_at > MAX_UNAVAILABLE_SECONDS:
                self._callers = {}
        self._tried_at = monotonic()


def _valid_keys() -> dict[str, ApiKeyIdentity]:
    try:
        return _read_keys()
    except (OperationalError, InterfaceError):
        # Not every door is opened by Django's handlers, which would close a broken connection.
        if not connections["default"].in_atomic_block:
            connections["default"].close()
        return _read_keys()


def _read_keys() -> dict[str, ApiKeyIdentity]:
    rows = ApiKey.objects.valid_now().values_list(
        "hashed_key", "prefix", "services", "sees_personal_data", "expiry_date"
    )
    return {
        digest: ApiKeyIdentity(prefix, frozenset(services), sees, expires_at)
        for digest, prefix, services, sees, expires_at in rows
    }


api_key_cache = ApiKeyCache()
