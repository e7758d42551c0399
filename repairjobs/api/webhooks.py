from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from common.api.json_format import JSONParser, parse_json
from common.api.views import OpenView
from repairjobs.api import docs
from repairjobs.api.errors import ErrorsAsHttp
from repairjobs.integrations.sms import WEBHOOK_PROVIDERS
from repairjobs.integrations.sms.base import FieldRule, WebhookProvider
from repairjobs.services import sms_webhooks


class WebhookView(ErrorsAsHttp, OpenView):
    """A view for an SMS provider, which signs its requests."""

    parser_classes = [JSONParser]
    schema = docs.WebhookSchema()
    provider_name = ""  # a key of WEBHOOK_PROVIDERS

    @property
    def provider(self) -> WebhookProvider:
        return WEBHOOK_PROVIDERS[self.provider_name]()

    @property
    def payload_fields(self) -> Mapping[str, FieldRule]:
        """The fields of the body, for OpenAPI."""
        raise NotImplementedError

    @property
    def payload_example(self) -> Mapping[str, str]:
        """An example of the body, for OpenAPI."""
        raise NotImplementedError

    def get_authenticate_header(self, request: Request) -> str:
        return "Bearer"

    def get_verified_payload(self, request: Request) -> dict[str, Any]:
        """Return the content of the body.

        :raises InvalidSignature: if the provider did not sign this body.
        :raises WebhookSecretMissing: if there is no secret to verify with.
        """
        body: bytes = request.body
        self.provider.verify(body, request.headers, at=timezone.now())
        payload = parse_json(body)
        if not isinstance(payload, dict):
            raise ValidationError({"detail": "The body must be a JSON object."})
        return payload


@docs.status_webhook
class StatusWebhookView(WebhookView):
    """Delivery receipts from an SMS provider."""

    @property
    def payload_fields(self) -> Mapping[str, FieldRule]:
        return self.provider.receipt_fields

    @property
    def payload_example(self) -> Mapping[str, str]:
        return self.provider.receipt_example

    def post(self, request: Request) -> Response:
        """Store a delivery receipt. Receipts may be repeated and may come in any order."""
        receipt = self.provider.parse_receipt(self.get_verified_payload(request))
        sms_webhooks.record_delivery_receipt(receipt, at=timezone.now())
        return Response()


@docs.inbound_webhook
class InboundWebhookView(WebhookView):
    """SMS from customers."""

    @property
    def payload_fields(self) -> Mapping[str, FieldRule]:
        return self.provider.inbound_fields

    @property
    def payload_example(self) -> Mapping[str, str]:
        return self.provider.inbound_example

    def post(self, request: Request) -> Response:
        """Store a customer's SMS, for the job of the last SMS that was sent to this customer."""
        message = self.provider.parse_inbound(self.get_verified_payload(request))
        sms_webhooks.receive_message(message, at=timezone.now())
        return Response()
