import json
from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from common.api.errors import Conflict, ConflictSerializer
from common.api.json_format import RenderedJSON
from common.api.openapi import error_response, list_response
from common.api.pagination import KeysetPagination
from common.api.views import StrictView
from dataprovider.api.filters import EventFilter
from dataprovider.api.serializers import EventSerializer
from dataprovider.models import Event, RenderedEvent
from dataprovider.services import recording as services

EXAMPLE = {
    "id": 1,
    "hotel_id": 1,
    "timestamp": "2020-01-01T00:00:00Z",
    "rpg_status": 1,
    "room_id": 1,
    "night_of_stay": "2020-01-01",
}
AHEAD = timedelta(days=14)
CONFLICT_EXAMPLE = {
    "detail": "event 1 is known with other content",
    "conflicts": {"room_id": {"stored": 1, "sent": 2}},
}


MALFORMED = error_response(
    "Malformed: each field or parameter with what is wrong.",
    {"hotel_id": ["Not allowed; allowed: a whole number of at most 64 bits."]},
)


@extend_schema_view(
    list=extend_schema(
        summary="List events",
        responses={
            200: list_response(EventSerializer, "Events, by timestamp and id.", EXAMPLE),
            400: MALFORMED,
        },
    )
)
class EventViewSet(StrictView, mixins.ListModelMixin, viewsets.GenericViewSet[Event]):
    """Bookings and cancellations of hotels, one for each room and night, by timestamp and id.

    Events are facts: they are reported once and never change.
    """

    queryset = Event.objects.all()
    serializer_class = EventSerializer
    filterset_class = EventFilter
    keyset = ("timestamp", "id")

    def example(self, method: str) -> Any:
        """A booking made now for a night ahead: what is sent stays."""
        if method != "POST":
            return None
        now = timezone.now()
        about = {
            "timestamp": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "night_of_stay": str((now + AHEAD).date()),
        }
        return {name: EXAMPLE[name] for name in EXAMPLE if name != "id"} | about

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Events by timestamp and id, oldest first; filters combine freely."""
        if request.accepted_renderer.format != "json":
            return super().list(request, *args, **kwargs)
        pages = KeysetPagination()
        window = pages.window(self.filter_queryset(self.get_queryset()), request, self.keyset)
        events = list(window.values_list(RenderedEvent(), flat=True))
        if len(events) > pages.limit:
            events.pop()
            last = json.loads(events[-1])
            pages.set_next_link(last[name] for name in self.keyset)
        return pages.get_paginated_response(RenderedJSON(f"[{','.join(events)}]"))

    @extend_schema(
        summary="Report an event",
        examples=[OpenApiExample("A booking", EXAMPLE, request_only=True)],
        responses={
            201: OpenApiResponse(
                EventSerializer,
                "Recorded.",
                [OpenApiExample("Recorded", EXAMPLE)],
            ),
            200: OpenApiResponse(
                EventSerializer,
                "This very event was recorded before; nothing changed.",
                [OpenApiExample("Known", EXAMPLE)],
            ),
            400: MALFORMED,
            409: OpenApiResponse(
                ConflictSerializer,
                "The id stands for an event with other content, which stays.",
                [OpenApiExample("Conflict", CONFLICT_EXAMPLE)],
            ),
        },
    )
    def create(self, request: Request) -> Response:
        """Record an event; the same event again changes nothing."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        try:
            event, is_new = services.record_event(at=timezone.now(), **serializer.validated_data)
        except services.EventConflict as refusal:
            raise Conflict(str(refusal), self._spoken(refusal)) from refusal
        return Response(
            self.get_serializer(event).data,
            status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK,
        )

    def _spoken(self, refusal: services.EventConflict) -> dict[str, dict[str, Any]]:
        fields = EventSerializer().fields
        return {
            name: {
                "stored": fields[name].to_representation(stored),
                "sent": fields[name].to_representation(sent),
            }
            for name, (stored, sent) in refusal.conflicts.items()
        }
