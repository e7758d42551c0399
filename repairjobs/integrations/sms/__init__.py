"""SMS providers. To add a provider, write a module here, a line in this registry and settings."""

from collections.abc import Callable, Mapping

from django.conf import settings

from repairjobs.integrations.sms.base import SmsProvider, WebhookProvider
from repairjobs.integrations.sms.console import ConsoleSms
from repairjobs.integrations.sms.vonage import VonageSms

# By the names that SMS_BACKEND allows.
PROVIDERS: dict[str, Callable[[], SmsProvider]] = {"console": ConsoleSms, "vonage": VonageSms}
# Providers that send webhooks, by the name in the webhooks' URLs.
WEBHOOK_PROVIDERS: Mapping[str, Callable[[], WebhookProvider]] = {"vonage": VonageSms}


def sms_provider() -> SmsProvider:
    """Return the provider that the settings name."""
    return PROVIDERS[settings.SMS_BACKEND]()
