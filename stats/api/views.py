import calendar
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django.conf import settings
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework import mixins, status, viewsets
from rest_framework.exceptions import NotFound, ParseError, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from common.api.csv_renderer import CSVRenderer, Table
from common.api.errors import ConflictSerializer
from common.api.json_format import JSONRenderer
from common.api.openapi import error_response, list_response
from common.api.pagination import KeysetPagination
from common.api.views import OpenView, StrictView
from stats.api.filters import MessageFilter
from stats.api.pages import StatsPageRenderer
from stats.api.parsers import NOT_A_BATCH, BatchParser, LinesParser, Unreadable
from stats.api.serializers import (
    BatchResultSerializer,
    MessageSerializer,
    QuestionSerializer,
    TotalSerializer,
    read_question,
)
from stats.api.validation import WIRE_NAMES, read_message, read_uuid, spoken_message
from stats.models import DailyTotal, Message, spoken_amount
from stats.services import recording as services

SENT = {
    "customerId": 1,
    "type": "A",
    "amount": "0.012",
    "uuid": "a596b362-08be-419f-8070-9c3055566e7c",
}
STORED = {**SENT, "timestamp": "2026-01-31T12:00:00Z"}
CONFLICT = {
    "detail": "The message a596b362-08be-419f-8070-9c3055566e7c is known with other content.",
    "conflicts": {"amount": {"stored": "0.012", "sent": "0.013"}},
}
BATCH_RESULT = {
    "accepted": 1,
    "duplicates": 0,
    "conflicts": [{"index": 1, "uuid": SENT["uuid"], "fields": ["amount"]}],
    "rejected": [{"index": 2, "errors": {"type": ["Missing; it must be …"]}}],
}
TOTAL = {"customerId": 1, "type": "A", "count": 2, "totalAmount": "0.024"}
CSV_EXAMPLE = "customerId,type,count,totalAmount\r\n1,A,2,0.024\r\n"
UNKNOWN = error_response(
    "A parameter is unknown or not allowed.",
    {"tipe": ["Unknown parameter; did you mean type? Known: …"]},
)
NOT_FOUND = "No message has this uuid."


def not_taken(allowed: str) -> dict[str, str]:
    return {"detail": f'Unsupported media type "text/plain" in request. Allowed: {allowed}.'}


AWAY = error_response(
    "The store is away; try again after `Retry-After` seconds. A repeat is safe.",
    {"detail": "A store behind this service is away; try again."},
)


def answer(outcome: services.Outcome) -> tuple[int, dict[str, Any]]:
    """Status and content of the answer to one message."""
    differences = outcome.differences
    if not differences:
        code = status.HTTP_201_CREATED if outcome.is_new else status.HTTP_200_OK
        return code, spoken_message(outcome.stored)
    stored, sent = spoken_message(outcome.stored), spoken_message(outcome.sent)
    names = [WIRE_NAMES[name] for name in differences]
    return status.HTTP_409_CONFLICT, {
        "detail": f"The message {outcome.sent.uuid} is known with other content.",
        "conflicts": {name: {"stored": stored[name], "sent": sent[name]} for name in names},
    }


@extend_schema_view(
    list=extend_schema(
        summary="List messages",
        responses={
            200: list_response(MessageSerializer, "Messages, by timestamp and uuid.", STORED),
            400: UNKNOWN,
        },
    ),
    retrieve=extend_schema(
        summary="One message",
        parameters=[OpenApiParameter("uuid", OpenApiTypes.UUID, OpenApiParameter.PATH)],
        responses={
            200: OpenApiResponse(
                MessageSerializer, "The message.", [OpenApiExample("A message", STORED)]
            ),
            400: UNKNOWN,
            404: error_response(NOT_FOUND, {"detail": NOT_FOUND}),
        },
    ),
)
class MessageViewSet(
    StrictView, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Message]
):
    """Billable messages, each counted once by its uuid, by timestamp and uuid.

    The JSON Schema of a message is at `/schemas/stats_message.json`.
    """

    queryset = Message.objects.all()
    serializer_class = MessageSerializer
    filterset_class = MessageFilter
    keyset = ("timestamp", "uuid")
    lookup_field = "uuid"

    def example(self, method: str) -> Any:
        return {**SENT, "uuid": str(uuid4())} if method == "POST" else None

    def related(self, content: Any) -> list[tuple[str, str]]:
        if not isinstance(content, dict):
            return [("What these customers came to", "/stats")]
        asked = {"customerId": content["customerId"], "type": content["type"]}
        # An empty type cannot be asked for.
        query = urlencode({name: value for name, value in asked.items() if value != ""})
        return [("What this customer came to", f"/stats?{query}"), ("All messages", "/messages")]

    def get_object(self) -> Message:
        try:
            uuid = read_uuid(self.kwargs["uuid"])
            return Message.objects.get(pk=uuid)
        except (ValueError, Message.DoesNotExist) as error:
            raise NotFound(NOT_FOUND) from error

    @extend_schema(
        summary="Count a message",
        examples=[OpenApiExample("A message", SENT, request_only=True)],
        responses={
            201: OpenApiResponse(
                MessageSerializer,
                "Stored, committed and part of the next `GET /stats`.",
                [OpenApiExample("Stored", STORED)],
            ),
            200: OpenApiResponse(
                MessageSerializer,
                "This very message was counted before; nothing changed.",
                [OpenApiExample("Known", STORED)],
            ),
            400: error_response(
                "Malformed: each field with what is wrong about it.",
                {"customerId": ["Missing; it must be …"]},
            ),
            409: OpenApiResponse(
                ConflictSerializer,
                "The uuid stands for a message with other content, which stays.",
                [OpenApiExample("Conflict", CONFLICT)],
            ),
            413: error_response(
                "Over 64 KiB.", {"detail": "The body is too large; allowed: 65536 bytes."}
            ),
            415: error_response("Not JSON.", not_taken("application/json or multipart/form-data")),
            503: AWAY,
        },
    )
    def create(self, request: Request) -> Response:
        """Store a message and count it; the same message again changes nothing.

        What is answered with a 2xx is committed. Without an answer, send it again.
        """
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        code, content = answer(services.record_message(serializer.validated_data))
        return Response(content, status=code)


class BatchView(StrictView):
    """Up to 10,000 messages at once."""

    max_body_bytes = settings.MAX_BATCH_BYTES
    parser_classes = [BatchParser, LinesParser]

    def example(self, method: str) -> Any:
        return [{**SENT, "uuid": str(uuid4())}] if method == "POST" else None

    @extend_schema(
        summary="Count many messages",
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
                "What became of them; all that was accepted is committed.",
                [OpenApiExample("One of each", BATCH_RESULT)],
            ),
            400: error_response("Not a JSON array.", {"detail": NOT_A_BATCH}),
            413: error_response(
                "Over 10,000 messages, or over 16 MiB.",
                {"detail": "The body is too large; allowed: 16777216 bytes."},
            ),
            415: error_response(
                "Neither JSON nor NDJSON.",
                not_taken("application/json or application/x-ndjson"),
            ),
            503: AWAY,
        },
    )
    def post(self, request: Request) -> Response:
        """Store and count messages, in one transaction; one that is bad never fails the others.

        A JSON array, or NDJSON (`application/x-ndjson`), a message a line. `index` counts items
        (lines that are not blank) from 0.
        """
        if not isinstance(request.data, list):
            raise ParseError(NOT_A_BATCH)  # a body without content reaches no parser
        now = timezone.now()
        places, messages, rejected = [], [], []
        for index, item in enumerate(request.data):
            try:
                if isinstance(item, Unreadable):
                    raise ValidationError({"non_field_errors": [item.reason]})
                messages.append(read_message(item, at=now))
                places.append(index)
            except ValidationError as error:
                rejected.append({"index": index, "errors": error.detail})
        outcomes = services.record_messages(messages)
        return Response({**_summary(places, outcomes), "rejected": rejected})


def _summary(places: Sequence[int], outcomes: Sequence[services.Outcome]) -> dict[str, Any]:
    accepted, conflicts = 0, []
    for index, outcome in zip(places, outcomes, strict=True):
        if outcome.is_new:
            accepted += 1
        elif names := outcome.differences:
            fields = [WIRE_NAMES[name] for name in names]
            conflicts.append({"index": index, "uuid": outcome.sent.uuid, "fields": fields})
    return {
        "accepted": accepted,
        "duplicates": len(outcomes) - accepted - len(conflicts),
        "conflicts": conflicts,
    }


# Each query parameter of GET /stats, with what is allowed for it.
KNOWN = {name: str(field.help_text) for name, field in QuestionSerializer().fields.items()}
KNOWN["format"] = "json, csv or api"
PAGE_PARAMETERS = [
    OpenApiParameter(each["name"], each["schema"], description=each["description"])
    for each in KeysetPagination().get_schema_operation_parameters(None)
]


class StatsView(StrictView):
    """How many messages, and how much, for each customer and type."""

    renderer_classes = [JSONRenderer, CSVRenderer, StatsPageRenderer]

    def known_parameters(self) -> Mapping[str, str]:
        return KNOWN

    @extend_schema(
        summary="Counts and amounts",
        parameters=[QuestionSerializer, *PAGE_PARAMETERS],
        responses={
            (200, "application/json"): OpenApiResponse(
                TotalSerializer(many=True),
                "A row for each customer and type (and day or month), in this order.",
                [OpenApiExample("Totals", TOTAL)],
            ),
            (200, "text/csv"): OpenApiResponse(
                OpenApiTypes.STR,
                "The same; as CSV to download, a line for each row of the page.",
                [OpenApiExample("Totals as CSV", CSV_EXAMPLE, media_type="text/csv")],
            ),
            (400, "application/json"): UNKNOWN,
        },
    )
    def get(self, request: Request) -> Response:
        """Totals of an interval of days, both ends included; without one, of all time.

        Every message that was answered with a 2xx is in it.
        """
        asked = read_question(request.query_params.dict())
        interval = asked.get("interval")
        totals = DailyTotal.objects.asked(asked)
        pages = KeysetPagination()
        keyset = ["customer_id", "type", *(["day"] if interval else [])]
        rows = list(pages.rest(totals, request, keyset).summed(interval)[: pages.limit + 1])
        if len(rows) > pages.limit:
            rows.pop()
            pages.set_next_link(_key(rows[-1]))
        return pages.get_paginated_response([_spoken_total(row) for row in rows])

    def related(self, content: Any) -> list[tuple[str, str]]:
        return [("The messages behind it", "/messages")]

    def table(self, content: list[dict[str, Any]]) -> Table:
        """The page's rows."""
        interval = self.request.query_params.get("interval")
        when = [interval] if interval else []
        name = "-by-".join(["stats", *when])
        return Table(name, ["customerId", "type", *when, "count", "totalAmount"], content)


def _key(row: Mapping[str, Any]) -> list[Any]:
    """A row's place among the days: that of its last one."""
    if month := row.get("month"):
        last = month.replace(day=calendar.monthrange(month.year, month.month)[1])
        return [row["customer_id"], row["type"], last]
    return [row[name] for name in ("customer_id", "type", "day") if name in row]


def _spoken_total(row: Mapping[str, Any]) -> dict[str, Any]:
    when: dict[str, Any] = {}
    if "day" in row:
        when["day"] = row["day"].isoformat()
    if "month" in row:
        when["month"] = row["month"].isoformat()[:7]
    return {
        "customerId": row["customer_id"],
        "type": row["type"],
        **when,
        "count": row["message_count"],
        "totalAmount": spoken_amount(int(row["thousandths"])),
    }


class MessageSchemaView(OpenView):
    """The JSON Schema of a message."""

    content = json.loads(
        (Path(__file__).parent.parent / "schemas" / "stats_message.json").read_text()
    )

    @extend_schema(
        summary="JSON Schema of a message",
        responses={
            200: OpenApiResponse(
                OpenApiTypes.OBJECT, "The schema.", [OpenApiExample("The schema", content)]
            ),
            400: UNKNOWN,
        },
    )
    def get(self, request: Request) -> Response:
        """The message's JSON Schema; the service is stricter only where its docs say so."""
        return Response(self.content)
