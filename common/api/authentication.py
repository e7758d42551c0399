"""Authentication of callers: programs by API key, people by their session in the admin."""

from typing import Any

from django.http import HttpRequest
from rest_framework import status
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.request import Request

from common.api_keys.cache import KEYWORD, ApiKeyIdentity, ApiKeysUnavailable, api_key_cache


class KeyStoreUnavailable(APIException):
    """503: the API key cannot be checked."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The API key cannot be checked: the database is unavailable. Try again later."
    wait = 5


class ApiKeyAuthentication(BaseAuthentication):
    """``Authorization: Api-Key <key>``."""

    def authenticate(self, request: Request | HttpRequest) -> tuple[None, ApiKeyIdentity] | None:
        """Return the identity of the request's API key, or None if there is no key.

        :raises AuthenticationFailed: if the key is not valid.
        :raises KeyStoreUnavailable: if the key cannot be checked.
        """
        authorization: str = request.META.get("HTTP_AUTHORIZATION", "")
        if authorization.partition(" ")[0].lower() != KEYWORD.lower():
            return None
        try:
            identity = api_key_cache.find(authorization)
        except ApiKeysUnavailable as error:
            raise KeyStoreUnavailable from error
        if identity is None:
            raise AuthenticationFailed("This API key is unknown, revoked or expired.")
        return None, identity

    def authenticate_header(self, request: Request) -> str:
        return KEYWORD


class AdminSessionAuthentication(SessionAuthentication):
    """A staff user's session in the admin. Changes are protected against CSRF."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        return super().authenticate(request) if is_staff(request._request) else None


def is_staff(request: HttpRequest) -> bool:
    """Return whether the request belongs to the session of an active staff user."""
    user = getattr(request, "user", None)
    return user is not None and user.is_active and user.is_staff
