from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.exceptions import AuthenticationFailed, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from common.api.json_format import JSONParser, parse_json
from common.api.openapi import error_response
from common.api.views import OpenView
from repairjobs.api.errors import SystemUnavailable
from repairjobs.integrations.sms import WEBHOOK_PROVIDERS
from repairjobs.integrations.sms.base import (
    FieldRule,
    InvalidSignature,
    MalformedWebhook,
    WebhookSecretMissing,
)
from repairjobs.services import sms_webhooks

RESPONSES = {
    200: OpenApiResponse(description="Stored. A repeated webhook changes nothing."),
    400: error_response("Signed, but malformed.", {"message_uuid": ["This field is required."]}),
    401: error_response(
        "Not signed by the provider, outdated, or altered.",
        {"detail": "the signature belongs to a different body"},
    ),
    503: error_response(
        "No secret is configured to verify signatures with.",
        {"detail": "VONAGE_SIGNATURE_SECRET is not set"},
    ),
}
VONAGE = WEBHOOK_PROVIDERS["vonage"]()


def webhook_schema(fields: Mapping[str, FieldRule]) -> dict[str, Any]:
    """Return the OpenAPI schema of a webhook with these fields."""
    return {
        "application/json": {
            "type": "object",
            "properties": {
                name: {
                    "type": "string",
                    "maxLength": rule.max_length,
                    "pattern": r"^[^\u0000]*\S[^\u0000]*$" if rule.is_required else r"^[^\u0000]*$",
                }
                for name, rule in fields.items()
            },
            "required": [name for name, rule in fields.items() if rule.is_required],
        }
    }


class WebhookView(OpenView):
    """A view that only an SMS provider can call, by its signature."""

    parser_classes = [JSONParser]
    provider_name = "vonage"

    def get_authenticate_header(self, request: Request) -> str:
        return "Bearer"

    def verified_payload(self, request: Request) -> dict[str, Any]:
        """Return the content of a body that the provider signed.

        :raises AuthenticationFailed:
        :raises SystemUnavailable: if there is no secret to verify with.
        """
        body: bytes = request.body
        try:
            self.provider.verify(body, request.headers, at=timezone.now())
        except InvalidSignature as error:
            raise AuthenticationFailed(str(error)) from error
        except WebhookSecretMissing as error:
            raise SystemUnavailable(str(error)) from error
        payload = parse_json(body)
        if not isinstance(payload, dict):
            raise ValidationError({"detail": "Not an object."})
        return payload

    @property
    def provider(self) -> Any:
        return WEBHOOK_PROVIDERS[self.provider_name]()


class StatusWebhookView(WebhookView):
    """Delivery receipts of an SMS provider."""

    @extend_schema(
        summary="Report an SMS's state",
        request=webhook_schema(VONAGE.receipt_fields),
        examples=[OpenApiExample("Delivered", VONAGE.receipt_example, request_only=True)],
        responses=RESPONSES,
    )
    def post(self, request: Request) -> Response:
        """Store a delivery receipt; order and repetition do not matter."""
        payload = self.verified_payload(request)
        try:
            receipt = self.provider.parse_receipt(payload)
        except MalformedWebhook as error:
            raise ValidationError(error.errors) from error
        sms_webhooks.record_delivery_receipt(receipt, at=timezone.now())
        return Response()


class InboundWebhookView(WebhookView):
    """SMS from customers."""

    @extend_schema(
        summary="Pass on an SMS",
        request=webhook_schema(VONAGE.inbound_fields),
        examples=[OpenApiExample("A reply", VONAGE.inbound_example, request_only=True)],
        responses=RESPONSES,
    )
    def post(self, request: Request) -> Response:
        """Store a customer's SMS with the job last texted to that number."""
        payload = self.verified_payload(request)
        try:
            message = self.provider.parse_inbound(payload)
        except MalformedWebhook as error:
            raise ValidationError(error.errors) from error
        sms_webhooks.receive_message(message, at=timezone.now())
        return Response()
