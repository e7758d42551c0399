"""Permissions of callers: access to services and to personal data."""

from typing import TYPE_CHECKING, Any

from django.conf import settings
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from common.api_keys.cache import ApiKeyIdentity
from common.service import personal_data_permissions

if TYPE_CHECKING:
    # At run time this import would be circular: DRF's views import the permission classes.
    from rest_framework.views import APIView


def service_of(view: object) -> str:
    """Return the name of the service that a view belongs to."""
    return type(view).__module__.partition(".")[0]


class ServicePermission(BasePermission):
    """Allow API keys of the view's service, and users with permissions of the service's app."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not settings.API_KEYS_REQUIRED:
            return True
        service = service_of(view)
        if isinstance(request.auth, ApiKeyIdentity):
            if service not in request.auth.services:
                raise PermissionDenied(f"This API key is not valid for {service}.")
            return True
        if request.user is None:
            return False
        actions = ("view",) if request.method in SAFE_METHODS else ("add", "change")
        if not has_any_permission(request.user, service, actions):
            raise PermissionDenied(
                f"You need a permission to {' or '.join(actions)} data of {service}."
            )
        return True


def has_any_permission(user: Any, app: str, actions: tuple[str, ...]) -> bool:
    """Return whether the user has one of these permissions for any model of the app."""
    if user.is_superuser:
        return True
    prefixes = tuple(f"{app}.{action}_" for action in actions)
    # These permissions unmask personal data; they do not give access to a service.
    permissions = user.get_all_permissions() - personal_data_permissions()
    return any(permission.startswith(prefixes) for permission in permissions)


def sees_personal_data(request: Request) -> bool:
    """Return whether the caller sees people's names and phone numbers unmasked."""
    if not settings.API_KEYS_REQUIRED:
        return True
    if isinstance(request.auth, ApiKeyIdentity):
        return request.auth.sees_personal_data
    return bool(request.user.has_perms(personal_data_permissions()))
