from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.exceptions import AuthenticationFailed, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from common.api.json_format import JSONParser, parse_json
from common.api.openapi import error_response
from common.api.views import OpenView
from repairjobs import sms
from repairjobs.api.errors import SystemAway
from repairjobs.api.serializers import DeliverySerializer, InboundSerializer
from repairjobs.services import hearing

RESPONSES = {
    200: OpenApiResponse(description="Kept; the same again changes nothing."),
    400: error_response("Signed, but malformed.", {"message_uuid": ["This field is required."]}),
    401: error_response(
        "Not signed by Vonage, or not now, or for another body.",
        {"detail": "the signature is not of now"},
    ),
    503: error_response(
        "There is no VONAGE_SIGNATURE_SECRET to check it by.",
        {"detail": "VONAGE_SIGNATURE_SECRET is not set"},
    ),
}
UUID_EXAMPLE = "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab"


class WebhookView(OpenView):
    """A view that only Vonage can call, by its signature."""

    parser_classes = [JSONParser]

    def get_authenticate_header(self, request: Request) -> str:
        return "Bearer"

    def verified(self, request: Request) -> Any:
        """The content of a body that Vonage signed.

        :raises AuthenticationFailed:
        :raises SystemAway: if there is no secret to check it by.
        """
        body: bytes = request.body
        signature = request.headers.get("Authorization", "")
        try:
            sms.verified(body, signature, at=timezone.now())
        except sms.WebhookForged as refusal:
            raise AuthenticationFailed(str(refusal)) from refusal
        except sms.WebhooksUnconfigured as refusal:
            raise SystemAway(str(refusal)) from refusal
        content = parse_json(body)
        if not isinstance(content, dict):
            raise ValidationError({"detail": "Not an object."})
        return content


class StatusWebhookView(WebhookView):
    """Vonage's reports about what became of an SMS."""

    @extend_schema(
        summary="Report an SMS's state",
        request=DeliverySerializer,
        examples=[
            OpenApiExample(
                "Delivered",
                {"message_uuid": UUID_EXAMPLE, "status": "delivered", "client_ref": UUID_EXAMPLE},
                request_only=True,
            )
        ],
        responses=RESPONSES,
    )
    def post(self, request: Request) -> Response:
        """Keep a report; order and repetition do not matter."""
        sent = DeliverySerializer(data=self.verified(request))
        sent.is_valid(raise_exception=True)
        report = sent.validated_data
        error = report.get("error") or {}
        hearing.record_delivery(
            message_uuid=report["message_uuid"],
            reference=report.get("client_ref") or "",
            status=report["status"],
            reason=str(error.get("detail") or error.get("title") or "")[:255],
            at=timezone.now(),
        )
        return Response()


class InboundWebhookView(WebhookView):
    """SMS from end-users, as Vonage passes them on."""

    @extend_schema(
        summary="Pass on an SMS",
        request=InboundSerializer,
        examples=[
            OpenApiExample(
                "A reply",
                {
                    "message_uuid": UUID_EXAMPLE,
                    "from": "447700900123",
                    "to": "447700900999",
                    "text": "Very good, thank you",
                },
                request_only=True,
            )
        ],
        responses=RESPONSES,
    )
    def post(self, request: Request) -> Response:
        """Keep a customer's SMS with the job last texted to that number."""
        sent = InboundSerializer(data=self.verified(request))
        sent.is_valid(raise_exception=True)
        inbound = sent.validated_data
        hearing.receive_sms(
            message_uuid=inbound["message_uuid"],
            sender=inbound["from"],
            recipient=inbound["to"],
            text=inbound.get("text") or "",
            at=timezone.now(),
        )
        return Response()
