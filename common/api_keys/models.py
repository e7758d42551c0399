from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from rest_framework_api_key.models import AbstractAPIKey, APIKeyManager


def check_services(names: Any) -> None:
    """
    :raises ValidationError: if these are no services, or none.
    """
    known = settings.KNOWN_SERVICES
    given = names if isinstance(names, list) else [names]
    wrong = ", ".join(repr(name) for name in given if name not in known)
    if wrong:
        raise ValidationError(f"{wrong} is not allowed; some of {', '.join(known)} are.")
    if not given:
        raise ValidationError(f"Name at least one of {', '.join(known)}.")


class ApiKeyManager(APIKeyManager):
    def valid_now(self) -> "models.QuerySet[ApiKey]":
        """The keys that are neither revoked nor expired."""
        usable: models.QuerySet[ApiKey] = self.get_usable_keys()
        return usable.filter(Q(expiry_date=None) | Q(expiry_date__gt=timezone.now()))

    def digest(self, key: str) -> str:
        """What is stored of a key. It has no salt, as keys are random, so it finds its row."""
        digest: str = self.key_generator.hash(key)
        return digest


class ApiKey(AbstractAPIKey):
    """A key to the API of some services; only a digest of it is stored."""

    services = models.JSONField(
        default=list, validators=[check_services], help_text="The services that it opens."
    )
    sees_personal_data = models.BooleanField(
        default=True,
        help_text="Shows customers' names and phone numbers in repair jobs; masked without it.",
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
