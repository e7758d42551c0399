from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django.conf import settings
from django.utils import timezone
from rest_framework import mixins, viewsets
from rest_framework.exceptions import NotFound, ParseError, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from common.api.csv_renderer import CSVRenderer, Table
from common.api.json_format import JSONRenderer
from common.api.pagination import KeysetPagination
from common.api.views import OpenView, StrictView
from stats.api import docs
from stats.api.filters import MessageFilter
from stats.api.pages import StatsPageRenderer
from stats.api.parsers import NOT_A_BATCH, InvalidItem, JSONBatchParser, NDJSONBatchParser
from stats.api.responses import batch_response, format_total, outcome_response
from stats.api.serializers import REPORT_PARAMETERS, MessageSerializer, parse_query
from stats.api.validation import parse_message, parse_uuid
from stats.models import DailyTotal, Message
from stats.services.recording import record_message, record_messages
from stats.services.report import Report, chart_data, keyset, keyset_values, report_rows

TOTALS_PER_CUSTOMER = ("Totals per customer", "/stats")
ALL_MESSAGES = ("All messages", "/messages")


@docs.message_views
class MessageViewSet(
    StrictView, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Message]
):
    """Billable messages, by timestamp and uuid. Each uuid is counted once.

    The JSON Schema of a message is at `/schemas/stats_message.json`.
    """

    queryset = Message.objects.all()
    serializer_class = MessageSerializer
    filterset_class = MessageFilter
    keyset = ("timestamp", "uuid")
    lookup_field = "uuid"

    def create(self, request: Request) -> Response:
        """Store a message and count it. Sending the same message again changes nothing.

        A response with a 2xx status means that the message is committed. If there is no response,
        send the message again.
        """
        message = self.get_serializer(data=request.data)
        message.is_valid(raise_exception=True)
        status, content = outcome_response(record_message(message.validated_data))
        return Response(content, status=status)

    def get_object(self) -> Message:
        try:
            return self.get_queryset().get(uuid=parse_uuid(self.kwargs["uuid"]))
        except (ValueError, Message.DoesNotExist) as error:
            raise NotFound(docs.NOT_FOUND) from error

    def example(self, method: str) -> Any:
        return {**docs.SENT, "uuid": str(uuid4())} if method == "POST" else None

    def related(self, content: Any) -> list[tuple[str, str]]:
        if not isinstance(content, dict):
            return [TOTALS_PER_CUSTOMER]
        query = {"customerId": content["customerId"]}
        if content["type"]:  # an empty type cannot be a query parameter
            query["type"] = content["type"]
        return [("Totals of this customer", f"/stats?{urlencode(query)}"), ALL_MESSAGES]


class BatchView(StrictView):
    """Up to 10,000 messages at once."""

    max_body_bytes = settings.MAX_BATCH_BYTES
    parser_classes = [JSONBatchParser, NDJSONBatchParser]

    @docs.record_batch
    def post(self, request: Request) -> Response:
        """Store and count messages in one transaction. Invalid messages do not affect the others.

        The body is a JSON array, or NDJSON (`application/x-ndjson`) with one message per line.
        `index` is the position of a message, from 0. Blank lines are not counted.
        """
        if not isinstance(request.data, list):
            raise ParseError(NOT_A_BATCH)  # DRF calls no parser for an empty body
        now = timezone.now()
        messages, rejected = {}, []
        for index, item in enumerate(request.data):
            try:
                if isinstance(item, InvalidItem):
                    raise ValidationError({"non_field_errors": [item.reason]})
                messages[index] = parse_message(item, at=now)
            except ValidationError as error:
                rejected.append({"index": index, "errors": error.detail})
        outcomes = record_messages(list(messages.values()))
        return Response({**batch_response(messages, outcomes), "rejected": rejected})

    def example(self, method: str) -> Any:
        return [{**docs.SENT, "uuid": str(uuid4())}] if method == "POST" else None


class StatsView(StrictView):
    """Number and amount of messages, per customer and type."""

    renderer_classes = [JSONRenderer, CSVRenderer, StatsPageRenderer]
    report: Report | None = None  # content of the HTML page; None if the query is invalid

    @docs.report
    def get(self, request: Request) -> Response:
        """Return the totals from one day to another, both included. The default is all time.

        The totals include every message whose response had a 2xx status.
        """
        query = parse_query(request.query_params.dict())
        totals = DailyTotal.objects.matching(query)
        pages = KeysetPagination()
        remaining = pages.rest(totals, request, keyset(query.interval))
        rows = report_rows(remaining, query.interval, limit=pages.limit + 1)
        if len(rows) > pages.limit:
            rows.pop()
            pages.set_next_link(keyset_values(rows[-1], query.interval))
        if request.accepted_renderer.format == StatsPageRenderer.format:
            is_complete = not pages.next_link and "cursor" not in request.query_params
            self.report = Report(query, rows, chart_data(query), pages.next_link, is_complete)
        return pages.get_paginated_response([format_total(row, query.interval) for row in rows])

    def known_parameters(self) -> Mapping[str, str]:
        return REPORT_PARAMETERS

    def related(self, content: Any) -> list[tuple[str, str]]:
        return [ALL_MESSAGES]

    def table(self, content: list[dict[str, Any]]) -> Table:
        """Return the page's rows for CSV."""
        interval = self.request.query_params.get("interval")
        columns = ["customerId", "type", *([interval] if interval else []), "count", "totalAmount"]
        return Table(f"stats-by-{interval}" if interval else "stats", columns, content)


class MessageSchemaView(OpenView):
    """The JSON Schema of a message."""

    @docs.message_schema
    def get(self, request: Request) -> Response:
        """Return the JSON Schema of a message. The service's documentation lists stricter rules."""
        return Response(docs.MESSAGE_JSON_SCHEMA)
