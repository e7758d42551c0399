"""OpenAPI: parameters, responses and examples of each operation."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)

from common.api.errors import ConflictSerializer
from common.api.openapi import ServiceSchema, error_response, list_response
from repairjobs.api.serializers import (
    ClientJobSerializer,
    ColumnField,
    DocumentSerializer,
    JobPartSerializer,
    PartSerializer,
    PartStatusSerializer,
    PaymentSerializer,
    SmsSerializer,
    TextField,
    TextSerializer,
    TransactionSerializer,
)
from repairjobs.integrations.sms.base import FieldRule
from repairjobs.models import PartStatus

# --- Examples ------------------------------------------------------------------------------------

NEW_PART = {"part_number": "PUMP-40", "name": "Drain pump", "quantity": 1}
PART = {"id": 1, **NEW_PART, "status": "needed"}
DOCUMENT = {
    "job_id": "00123",
    "job_date": "2021-01-01",
    "job_type": "REPAIR",
    "job_status": "IN PROGRESS",
    "customer": [
        {
            "client_firstname": "Test",
            "client_lastname": "Customer",
            "client_postcode": "AB1 2CD",
            "client_mobile": "07700 900123",
        }
    ],
    "product": [{"product_id": "WM-1", "product_type": "Washing machine"}],
    "paid": False,
    "parts": [PART],
    "attention": [],
}
TRANSACTION = {
    "Job_id": 123,
    "Job_status": "NEW",
    "creationDate": "2021-01-01T09:00:00Z",
    "Update_note": "GET new job",
}
NEW_MESSAGE = {"text": "Your machine is ready. You can collect it from noon."}
MESSAGE = {
    "kind": "private",
    "to": "+447700900123",
    **NEW_MESSAGE,
    "state": "queued",
    "segments": 1,
    "created_at": "2021-01-01T09:00:00Z",
    "from": "Repairs",
}
OPTED_OUT = {"detail": "the number has opted out", "conflicts": {}}
PAYMENT = {"reference": "P-1", "amount": "120.00", "currency": "GBP"}
PAYMENT_CONFLICT = {
    "detail": "payment P-1 is already stored with other content",
    "conflicts": {"amount": {"stored": "120.00", "sent": "12.00"}},
}
CLIENT_JOB = {
    "Job_id": 123,
    "Job_type": "REPAIR",
    "Job_status": "NEW",
    "Client_firstname": "Test",
    "Client_lastname": "Customer",
    "Client_postcode": "AB1 2CD",
    "Client_mobile": "07700 900123",
    "Product_id": "WM-1",
    "Product_type": "Washing machine",
}
NEW_CLIENT_JOB = {name: value for name, value in CLIENT_JOB.items() if name != "Job_id"}
CLIENT_JOB_COMPLETED = {"Job_status": "JOB COMPLETED"}
PART_RECEIVED = {"status": PartStatus.RECEIVED.value}

# --- Parameters and errors -----------------------------------------------------------------------

JOB_ID = OpenApiParameter(
    "job_id", int, OpenApiParameter.PATH, description="The client's id of the job: 123 or 00123."
)
PART_ID = OpenApiParameter("part_id", int, OpenApiParameter.PATH)
BAD_REQUEST = error_response(
    "The request is malformed. The body has the errors of each field or parameter.",
    {"limit": ["Must be a whole number from 1 to 10000 (default 1000), not 0."]},
)
UNKNOWN_JOB = error_response("There is no such job.", {"detail": "job 123 is unknown"})
UNKNOWN_CLIENT_JOB = error_response(
    "The client has no such job.", {"detail": "the client has no job 123"}
)


def _response(
    serializer: Any, description: str, example_name: str, example: Any
) -> OpenApiResponse:
    return OpenApiResponse(serializer, description, [OpenApiExample(example_name, example)])


def _request(name: str, example: Any) -> list[OpenApiExample]:
    return [OpenApiExample(name, example, request_only=True)]


# --- Operations ----------------------------------------------------------------------------------

jobs = extend_schema_view(
    list=extend_schema(
        summary="List jobs",
        responses={
            200: list_response(DocumentSerializer, "The jobs' documents, by job_id.", DOCUMENT),
            400: BAD_REQUEST,
        },
    ),
    retrieve=extend_schema(
        summary="Get a job",
        parameters=[JOB_ID],
        responses={
            200: _response(DocumentSerializer, "The document.", "A job", DOCUMENT),
            404: UNKNOWN_JOB,
        },
    ),
)
LEDGER = list_response(TransactionSerializer, "The ledger lines, oldest first.", TRANSACTION)
transactions = extend_schema_view(
    list=extend_schema(summary="List the ledger", responses={200: LEDGER, 400: BAD_REQUEST})
)
job_transactions = extend_schema_view(
    list=extend_schema(
        summary="List the ledger of a job",
        parameters=[JOB_ID],
        responses={200: LEDGER, 400: BAD_REQUEST, 404: UNKNOWN_JOB},
    )
)
messages = extend_schema_view(
    list=extend_schema(
        summary="List the SMS of a job",
        parameters=[JOB_ID],
        responses={
            200: list_response(SmsSerializer, "The SMS, oldest first.", MESSAGE),
            400: BAD_REQUEST,
            404: UNKNOWN_JOB,
        },
    ),
    create=extend_schema(
        summary="Send an SMS to the customer",
        parameters=[JOB_ID],
        request=TextSerializer,
        examples=_request("A message", NEW_MESSAGE),
        responses={
            201: _response(SmsSerializer, "The SMS is queued.", "Queued", MESSAGE),
            400: BAD_REQUEST,
            404: UNKNOWN_JOB,
            409: _response(
                ConflictSerializer,
                "The number cannot be texted or has opted out.",
                "Opted out",
                OPTED_OUT,
            ),
        },
    ),
)
payments = extend_schema_view(
    create=extend_schema(
        summary="Record a payment",
        parameters=[JOB_ID],
        examples=_request("A payment", PAYMENT),
        responses={
            201: _response(PaymentSerializer, "The payment was recorded.", "Recorded", PAYMENT),
            200: _response(
                PaymentSerializer,
                "The same payment was recorded before; nothing changed.",
                "Recorded before",
                PAYMENT,
            ),
            400: BAD_REQUEST,
            404: UNKNOWN_JOB,
            409: _response(
                ConflictSerializer,
                "The reference belongs to a different payment, which is unchanged.",
                "Conflict",
                PAYMENT_CONFLICT,
            ),
        },
    )
)
parts = extend_schema_view(
    list=extend_schema(
        summary="List parts",
        responses={
            200: list_response(
                JobPartSerializer, "The parts of all jobs.", {"job_id": "00123", **PART}
            ),
            400: BAD_REQUEST,
        },
    )
)
job_parts = extend_schema_view(
    list=extend_schema(
        summary="List the parts of a job",
        parameters=[JOB_ID],
        responses={
            200: list_response(PartSerializer, "The job's parts.", PART),
            400: BAD_REQUEST,
            404: UNKNOWN_JOB,
        },
    ),
    create=extend_schema(
        summary="Add a part",
        parameters=[JOB_ID],
        examples=_request("A part", NEW_PART),
        responses={
            201: _response(PartSerializer, "The part was added.", "Added", PART),
            400: BAD_REQUEST,
            404: UNKNOWN_JOB,
        },
    ),
    partial_update=extend_schema(
        summary="Set the status of a part",
        parameters=[JOB_ID, PART_ID],
        request=PartStatusSerializer,
        examples=_request("The part has arrived", PART_RECEIVED),
        responses={
            200: _response(
                PartSerializer, "The part with its new status.", "Received", PART | PART_RECEIVED
            ),
            400: BAD_REQUEST,
            404: UNKNOWN_JOB,
        },
    ),
)
CLIENT_ROW = _response(ClientJobSerializer, "The row.", "A row", CLIENT_JOB)
client_jobs = extend_schema_view(
    list=extend_schema(
        summary="List the client's jobs",
        responses={
            200: list_response(ClientJobSerializer, "The client's rows, by id.", CLIENT_JOB),
            400: BAD_REQUEST,
        },
    ),
    retrieve=extend_schema(
        summary="Get one of the client's jobs",
        parameters=[JOB_ID],
        responses={200: CLIENT_ROW, 404: UNKNOWN_CLIENT_JOB},
    ),
    create=extend_schema(
        summary="Add a job to the client's table",
        examples=_request("A new job", NEW_CLIENT_JOB),
        responses={
            201: _response(ClientJobSerializer, "The row was added.", "Added", CLIENT_JOB),
            400: BAD_REQUEST,
            409: _response(
                ConflictSerializer,
                "There is a job with this id.",
                "Id taken",
                {"detail": "job 123 already exists", "conflicts": {}},
            ),
        },
    ),
    update=extend_schema(
        summary="Change a job in the client's table",
        parameters=[JOB_ID],
        examples=_request("The work is done", CLIENT_JOB_COMPLETED),
        responses={200: CLIENT_ROW, 400: BAD_REQUEST, 404: UNKNOWN_CLIENT_JOB},
    ),
)

# --- Webhooks ------------------------------------------------------------------------------------

WEBHOOK_RESPONSES = {
    200: OpenApiResponse(description="Stored. A repeated webhook changes nothing."),
    400: error_response(
        "The webhook is signed, but malformed.", {"message_uuid": ["This field is required."]}
    ),
    401: error_response(
        "The webhook is not signed by the provider, is outdated, or was altered.",
        {"detail": "the signature belongs to a different body"},
    ),
    503: error_response(
        "Signatures cannot be verified, because no secret is configured.",
        {"detail": "VONAGE_SIGNATURE_SECRET is not set"},
    ),
}
status_webhook = extend_schema_view(
    post=extend_schema(summary="Receive a delivery receipt", responses=WEBHOOK_RESPONSES)
)
inbound_webhook = extend_schema_view(
    post=extend_schema(summary="Receive an SMS from a customer", responses=WEBHOOK_RESPONSES)
)


class WebhookSchema(ServiceSchema):
    """Describes a webhook's body by the fields and the example of the view's provider."""

    view: Any

    def get_request_serializer(self) -> Any:
        fields: Mapping[str, FieldRule] = self.view.payload_fields
        return {
            "application/json": {
                "type": "object",
                "properties": {
                    name: {
                        "type": "string",
                        "maxLength": rule.max_length,
                        "pattern": (TextField if rule.is_required else ColumnField).pattern,
                    }
                    for name, rule in fields.items()
                },
                "required": [name for name, rule in fields.items() if rule.is_required],
            }
        }

    def get_examples(self) -> list[OpenApiExample]:
        return _request("A webhook", self.view.payload_example)
