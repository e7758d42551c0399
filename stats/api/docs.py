"""OpenAPI: the responses and examples of each operation."""

import json
from pathlib import Path

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)

from common.api.errors import UNAVAILABLE_DETAIL, BodyTooLarge, ConflictSerializer
from common.api.openapi import error_response, list_response
from common.api.pagination import KeysetPagination
from stats.api.parsers import MAX_MESSAGES, NOT_A_BATCH
from stats.api.serializers import (
    BatchResultSerializer,
    MessageSerializer,
    ReportQuerySerializer,
    TotalSerializer,
)
from stats.models import INTERVALS

SENT = {
    "customerId": 1,
    "type": "A",
    "amount": "0.012",
    "uuid": "a596b362-08be-419f-8070-9c3055566e7c",
}
STORED = {**SENT, "timestamp": "2026-01-31T12:00:00Z"}
CONFLICT = {
    "detail": f"A message with the uuid {SENT['uuid']} is stored with other content.",
    "conflicts": {"amount": {"stored": "0.012", "sent": "0.013"}},
}
BATCH_RESULT = {
    "accepted": 1,
    "duplicates": 0,
    "conflicts": [{"index": 1, "uuid": SENT["uuid"], "fields": ["amount"]}],
    "rejected": [{"index": 2, "errors": {"type": ["Missing. Must be …"]}}],
}
TOTAL = {"customerId": 1, "type": "A", "count": 2, "totalAmount": "0.024"}
TOTALS_CSV = "customerId,type,count,totalAmount\r\n1,A,2,0.024\r\n"
MESSAGE_JSON_SCHEMA = json.loads(
    (Path(__file__).parent.parent / "schemas" / "stats_message.json").read_text()
)
NOT_FOUND = "No message has this uuid."

INVALID_PARAMETER = error_response(
    "A query parameter is unknown or not allowed.",
    {"tipe": ["Unknown parameter. Did you mean type? Known: …"]},
)
UNAVAILABLE = error_response(
    "The database is unavailable. Send the message again after `Retry-After` seconds; "
    "it is counted only once.",
    {"detail": UNAVAILABLE_DETAIL},
)


def unsupported_media_type(allowed: str) -> OpenApiResponse:
    detail = f'Unsupported media type "text/plain" in request. Use {allowed}.'
    return error_response(f"The body is not {allowed}.", {"detail": detail})


def too_large(limit: int, description: str) -> OpenApiResponse:
    return error_response(description, {"detail": str(BodyTooLarge(limit).detail)})


message_views = extend_schema_view(
    list=extend_schema(
        summary="List messages",
        responses={
            200: list_response(MessageSerializer, "Messages, by timestamp and uuid.", STORED),
            400: INVALID_PARAMETER,
        },
    ),
    retrieve=extend_schema(
        summary="Get a message",
        parameters=[OpenApiParameter("uuid", OpenApiTypes.UUID, OpenApiParameter.PATH)],
        responses={
            200: OpenApiResponse(
                MessageSerializer, "The message.", [OpenApiExample("A message", STORED)]
            ),
            400: INVALID_PARAMETER,
            404: error_response(NOT_FOUND, {"detail": NOT_FOUND}),
        },
    ),
    create=extend_schema(
        summary="Record a message",
        examples=[OpenApiExample("A message", SENT, request_only=True)],
        responses={
            201: OpenApiResponse(
                MessageSerializer,
                "The message is new. It is committed, and the next `GET /stats` includes it.",
                [OpenApiExample("New", STORED)],
            ),
            200: OpenApiResponse(
                MessageSerializer,
                "The same message was recorded before. Nothing changed.",
                [OpenApiExample("Recorded before", STORED)],
            ),
            400: error_response(
                "The message is malformed. The body has the errors of each field.",
                {"customerId": ["Missing. Must be …"]},
            ),
            409: OpenApiResponse(
                ConflictSerializer,
                "The uuid belongs to a message with other content. Nothing changed.",
                [OpenApiExample("Conflict", CONFLICT)],
            ),
            413: too_large(settings.MAX_BODY_BYTES, "The body is over 64 KiB."),
            415: unsupported_media_type("application/json or multipart/form-data"),
            503: UNAVAILABLE,
        },
    ),
)

record_batch = extend_schema(
    summary="Record many messages",
    operation_id="messages_batch",
    request={
        "application/json": MessageSerializer(many=True),
        "application/x-ndjson": MessageSerializer,
    },
    examples=[
        OpenApiExample("Messages", SENT, request_only=True),
        OpenApiExample("A line", SENT, request_only=True, media_type="application/x-ndjson"),
    ],
    responses={
        200: OpenApiResponse(
            BatchResultSerializer,
            "The result for each message. All accepted messages are committed.",
            [OpenApiExample("One of each", BATCH_RESULT)],
        ),
        400: error_response("The body is not a JSON array.", {"detail": NOT_A_BATCH}),
        413: too_large(
            settings.MAX_BATCH_BYTES,
            f"The batch has over {MAX_MESSAGES:,} messages, or is over 16 MiB.",
        ),
        415: unsupported_media_type("application/json or application/x-ndjson"),
        503: UNAVAILABLE,
    },
)

report = extend_schema(
    summary="Get totals",
    parameters=[
        ReportQuerySerializer,
        *(
            OpenApiParameter(
                parameter["name"], parameter["schema"], description=parameter["description"]
            )
            for parameter in KeysetPagination().get_schema_operation_parameters(None)
        ),
    ],
    responses={
        (200, "application/json"): OpenApiResponse(
            TotalSerializer(many=True),
            f"One row per customer and type (and {' or '.join(INTERVALS)}), in this order.",
            [OpenApiExample("Totals", TOTAL)],
        ),
        (200, "text/csv"): OpenApiResponse(
            OpenApiTypes.STR,
            "The same rows as a CSV file.",
            [OpenApiExample("Totals as CSV", TOTALS_CSV, media_type="text/csv")],
        ),
        (400, "application/json"): INVALID_PARAMETER,
    },
)

message_schema = extend_schema(
    summary="Get the JSON Schema of a message",
    responses={
        200: OpenApiResponse(
            OpenApiTypes.OBJECT,
            "The schema.",
            [OpenApiExample("The schema", MESSAGE_JSON_SCHEMA)],
        ),
        400: INVALID_PARAMETER,
    },
)
