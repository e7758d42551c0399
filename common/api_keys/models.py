from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from rest_framework_api_key.models import AbstractAPIKey, APIKeyManager


def check_services(names: Any) -> None:
    """Check the names of a key's services.

    :raises ValidationError: if the list is empty or contains an unknown service.
    """
    known = settings.KNOWN_SERVICES
    services = names if isinstance(names, list) else [names]
    unknown = ", ".join(repr(name) for name in services if name not in known)
    if unknown:
        raise ValidationError(f"Must be one or more of {', '.join(known)}, not {unknown}.")
    if not services:
        raise ValidationError(f"Must be one or more of {', '.join(known)}.")


class ApiKeyManager(APIKeyManager):
    def valid_now(self) -> "models.QuerySet[ApiKey]":
        """Return the keys that are neither revoked nor expired."""
        usable: models.QuerySet[ApiKey] = self.get_usable_keys()
        return usable.filter(Q(expiry_date=None) | Q(expiry_date__gt=timezone.now()))

    def digest(self, key: str) -> str:
        """Return the stored digest of a key. It has no salt, because keys are random."""
        digest: str = self.key_generator.hash(key)
        return digest


class ApiKey(AbstractAPIKey):
    """A key for the API of some services. Only its digest is stored."""

    services = models.JSONField(
        default=list,
        validators=[check_services],
        help_text="The services that the key gives access to.",
    )
    sees_personal_data = models.BooleanField(
        default=True,
        help_text="Names and phone numbers are shown. Without this they are masked.",
    )

    objects: ClassVar[ApiKeyManager] = ApiKeyManager()

    class Meta(AbstractAPIKey.Meta):
        verbose_name = "API key"
        verbose_name_plural = "API keys"

    @property
    def state(self) -> str:
        if self.revoked:
            return "revoked"
        return "expired" if self.has_expired else "valid"
