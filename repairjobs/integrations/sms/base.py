"""The interface of SMS providers, with the terms of this project."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from repairjobs.models import DeliveryState


class SmsRefused(Exception):
    """The provider rejected the SMS, and would reject it again."""


class SmsNotSent(Exception):
    """The SMS was certainly not accepted; it may be sent again."""

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after  # seconds, if the provider named them


class SmsUnknown(Exception):
    """The request was sent, but the SMS may or may not have been accepted."""


class InvalidSignature(Exception):
    """The webhook is not signed by the provider, is outdated, or was altered."""


class WebhookSecretMissing(Exception):
    """No secret is configured, so signatures of webhooks cannot be verified."""


class MalformedWebhook(Exception):
    """A signed webhook does not have the provider's format."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__(f"malformed: {', '.join(errors)}")
        self.errors = errors  # messages by field


class Receipt(NamedTuple):
    """A delivery receipt: a report of the provider about an SMS that we sent."""

    message_uuid: str  # the provider's id of the SMS
    reference: str  # our id of the SMS; empty if the provider does not repeat it
    status: str  # the provider's own term
    state: DeliveryState | None  # None: the status changes nothing
    reason: str  # of a failure, or empty


class InboundMessage(NamedTuple):
    """An SMS from a customer."""

    message_uuid: str
    sender: str
    recipient: str
    text: str


class FieldRule(NamedTuple):
    """The rules for a field of a webhook's payload."""

    max_length: int
    is_required: bool


class SmsProvider(Protocol):
    """Sends SMS."""

    @property
    def sender(self) -> str:
        """The number or name that customers see and reply to."""
        ...

    def send(self, *, to: str, text: str, reference: str) -> str:
        """Send an SMS with at most one request. Return the provider's id of the SMS.

        :param to: the number in E.164.
        :param reference: our id of the SMS, which delivery receipts repeat.
        :raises SmsRefused: if the SMS was not accepted and never will be.
        :raises SmsNotSent: if the SMS was not accepted this time.
        :raises SmsUnknown: if the SMS may have been accepted.
        """
        ...


class WebhookProvider(Protocol):
    """Reports about SMS by webhooks."""

    receipt_fields: Mapping[str, FieldRule]
    inbound_fields: Mapping[str, FieldRule]
    receipt_example: Mapping[str, str]
    inbound_example: Mapping[str, str]

    def verify(self, body: bytes, headers: Mapping[str, str], *, at: datetime) -> None:
        """Check that the provider signed this body within the last minutes.

        :raises InvalidSignature:
        :raises WebhookSecretMissing: if there is no secret to verify with.
        """
        ...

    def parse_receipt(self, payload: Mapping[str, Any]) -> Receipt:
        """Parse a delivery receipt.

        :raises MalformedWebhook:
        """
        ...

    def parse_inbound(self, payload: Mapping[str, Any]) -> InboundMessage:
        """Parse an SMS from a customer.

        :raises MalformedWebhook:
        """
        ...
