"""Which services a caller may use, and whether it may see personal data."""

from typing import TYPE_CHECKING, Any

from django.conf import settings
from rest_framework.exceptions import (
    PermissionDenied,
)
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from common.api_keys.cache import ApiKeyIdentity

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which reads this module's names from the settings


PERSONAL_DATA = "repairjobs.view_personal_data"


def service_of(view: object) -> str:
    """The service that a view belongs to."""
    return type(view).__module__.partition(".")[0]


class ServicePermission(BasePermission):
    """A key opens its services; people need permissions of a service's app, to read or to write."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not settings.API_KEYS_REQUIRED:
            return True
        service = service_of(view)
        if isinstance(request.auth, ApiKeyIdentity):
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
    if isinstance(request.auth, ApiKeyIdentity):
        return request.auth.sees_personal_data
    return bool(request.user.has_perm(PERSONAL_DATA))
