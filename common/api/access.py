"""Who may use the API: callers by their key, people by their session in the admin."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from rest_framework import status
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    NotAuthenticated,
    PermissionDenied,
)
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from common.api.formats import wants_page
from common.api_keys.cache import KEYWORD, Caller, KeysUnavailable, keyring
from common.rate_limits import address, rates

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which reads this module's names from the settings

COUNTED = "common.request_counted"
PERSONAL_DATA = "repairjobs.view_personal_data"


class KeysAway(APIException):
    """503: nobody here can tell whether this key is valid."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The API keys' store is away; try again."
    wait = 5


def admits(environ: dict[str, Any], service: str) -> bool:
    """For hot paths: whether a request is welcome; if not, the full view has the words for it."""
    caller = address(environ)
    if settings.API_KEYS_REQUIRED:
        try:
            found = keyring.find(environ.get("HTTP_AUTHORIZATION", ""))
        except KeysUnavailable:
            return False
        if found is None or service not in found.services:
            return False
        caller = found.prefix
    # Whatever the hot path hands on is not counted again.
    environ[COUNTED] = rates().count(service, caller) is None
    return bool(environ[COUNTED])


def is_secure(environ: dict[str, Any]) -> bool:
    """Whether a request came by HTTPS, as Django would say."""
    if settings.TRUST_PROXY:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        return bool(environ.get(name, "").partition(",")[0].strip() == value)
    return bool(environ["wsgi.url_scheme"] == "https")


def service_of(view: object) -> str:
    """The service that a view belongs to."""
    return type(view).__module__.partition(".")[0]


class KeyAuthentication(BaseAuthentication):
    """``Authorization: Api-Key <key>``."""

    def authenticate(self, request: Request | HttpRequest) -> tuple[None, Caller] | None:
        """
        :raises AuthenticationFailed: if there is a key, and it is not valid.
        :raises KeysAway: if nobody can tell.
        """
        authorization: str = request.META.get("HTTP_AUTHORIZATION", "")
        if authorization.partition(" ")[0].lower() != KEYWORD.lower():
            return None
        try:
            caller = keyring.find(authorization)
        except KeysUnavailable as error:
            raise KeysAway from error
        if caller is None:
            raise AuthenticationFailed("This API key is unknown, revoked or expired.")
        return None, caller

    def authenticate_header(self, request: Request) -> str:
        return KEYWORD


class AdminSession(SessionAuthentication):
    """A person who signed in to the admin; what they change is checked against CSRF."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        return super().authenticate(request) if is_staff(request._request) else None


class MayUseService(BasePermission):
    """A key opens its services; people need permissions of a service's app, to read or to write."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not settings.API_KEYS_REQUIRED:
            return True
        service = service_of(view)
        if isinstance(request.auth, Caller):
            if service not in request.auth.services:
                raise PermissionDenied(f"This API key does not open {service}.")
            return True
        if request.user is None:
            return False
        verbs = ("view",) if request.method in SAFE_METHODS else ("add", "change")
        if not holds_any(request.user, service, verbs):
            raise PermissionDenied(f"You lack the permission to {verbs[-1]} what {service} holds.")
        return True


def holds_any(user: Any, app: str, verbs: tuple[str, ...]) -> bool:
    """Whether somebody has a permission to do one of these to something of the app."""
    if user.is_superuser:
        return True
    begins = tuple(f"{app}.{verb}_" for verb in verbs)
    # view_personal_data is about what is shown, and opens nothing.
    held = user.get_all_permissions() - {PERSONAL_DATA}
    return any(permission.startswith(begins) for permission in held)


def sees_personal_data(request: Request) -> bool:
    """Whether customers' names and numbers are shown to who asks."""
    if not settings.API_KEYS_REQUIRED:
        return True
    if isinstance(request.auth, Caller):
        return request.auth.sees_personal_data
    return bool(request.user.has_perm(PERSONAL_DATA))


def is_staff(request: HttpRequest) -> bool:
    """Whether somebody who signed in to the admin asks."""
    user = getattr(request, "user", None)
    return user is not None and user.is_active and user.is_staff


def is_for_log_in(request: Request | HttpRequest, refusal: Exception) -> bool:
    """Whether a person's browser came without having signed in, where people can."""
    return (
        settings.CARRIES_ALL
        and isinstance(refusal, NotAuthenticated)
        and request.method in {"GET", "HEAD"}
        and wants_page(request)
    )


def log_in_page(request: Request | HttpRequest) -> HttpResponse:
    """401, as a page that leads to where people sign in, and from there back."""
    query = urlencode({"next": request.get_full_path()})
    context = {
        "title": "Sign in to see this page",
        "detail": "It is for those who are signed in, and for programs with an API key.",
        "log_in": f"{reverse('admin:login')}?{query}",
    }
    return HttpResponse(
        render_to_string("common/error.html", context),
        status=status.HTTP_401_UNAUTHORIZED,
        headers={"WWW-Authenticate": KEYWORD, "Vary": "Accept"},
    )


class RateLimit(BaseThrottle):
    """``RATE_LIMIT`` for each caller and service."""

    seconds: int | None = None

    def allow_request(self, request: Request, view: "APIView") -> bool:
        if request.META.pop(COUNTED, False):
            return True
        self.seconds = rates().count(service_of(view), self._caller(request))
        return self.seconds is None

    def wait(self) -> float | None:
        return self.seconds

    def _caller(self, request: Request) -> str:
        if isinstance(request.auth, Caller):
            return request.auth.prefix
        if request.user is not None:
            return f"user {request.user.pk}"
        return address(request.META)
