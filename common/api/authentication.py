"""Who is calling: a program by its API key, a person by their session in the admin."""

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from rest_framework import status
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
)
from rest_framework.request import Request

from common.api_keys.cache import KEYWORD, ApiKeyIdentity, ApiKeysUnavailable, api_key_cache

if TYPE_CHECKING:
    pass  # which reads this module's names from the settings


class KeyStoreUnavailable(APIException):
    """503: nobody here can tell whether this key is valid."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The API keys' store is away; try again."
    wait = 5


class ApiKeyAuthentication(BaseAuthentication):
    """``Authorization: Api-Key <key>``."""

    def authenticate(self, request: Request | HttpRequest) -> tuple[None, ApiKeyIdentity] | None:
        """
        :raises AuthenticationFailed: if there is a key, and it is not valid.
        :raises KeyStoreUnavailable: if nobody can tell.
        """
        authorization: str = request.META.get("HTTP_AUTHORIZATION", "")
        if authorization.partition(" ")[0].lower() != KEYWORD.lower():
            return None
        try:
            caller = api_key_cache.find(authorization)
        except ApiKeysUnavailable as error:
            raise KeyStoreUnavailable from error
        if caller is None:
            raise AuthenticationFailed("This API key is unknown, revoked or expired.")
        return None, caller

    def authenticate_header(self, request: Request) -> str:
        return KEYWORD


class AdminSessionAuthentication(SessionAuthentication):
    """A person who signed in to the admin; what they change is checked against CSRF."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        return super().authenticate(request) if is_staff(request._request) else None


def is_staff(request: HttpRequest) -> bool:
    """Whether somebody who signed in to the admin asks."""
    user = getattr(request, "user", None)
    return user is not None and user.is_active and user.is_staff
