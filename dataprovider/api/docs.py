"""OpenAPI responses and examples of ``/events``."""

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema

from common.api.errors import ConflictSerializer
from common.api.openapi import error_response, list_response
from dataprovider.api.serializers import EventSerializer

EVENT = {
    "id": 1,
    "hotel_id": 1,
    "timestamp": "2020-01-01T00:00:00Z",
    "rpg_status": 1,
    "room_id": 1,
    "night_of_stay": "2020-01-01",
}
CONFLICT = {
    "detail": "event 1 is already stored with other content",
    "conflicts": {"room_id": {"stored": 1, "sent": 2}},
}
BAD_REQUEST = error_response(
    "The request is malformed. The body has the errors of each field or parameter.",
    {"hotel_id": ["Must be a whole number of at most 64 bits, not one."]},
)

list_events = extend_schema(
    summary="List events",
    responses={
        200: list_response(EventSerializer, "Events, by timestamp and id.", EVENT),
        400: BAD_REQUEST,
    },
)

create_event = extend_schema(
    summary="Report an event",
    examples=[OpenApiExample("A booking", EVENT, request_only=True)],
    responses={
        201: OpenApiResponse(
            EventSerializer, "The event was recorded.", [OpenApiExample("Recorded", EVENT)]
        ),
        200: OpenApiResponse(
            EventSerializer,
            "The same event was recorded before; nothing changed.",
            [OpenApiExample("Recorded before", EVENT)],
        ),
        400: BAD_REQUEST,
        409: OpenApiResponse(
            ConflictSerializer,
            "The id belongs to an event with other content, which is unchanged.",
            [OpenApiExample("Conflict", CONFLICT)],
        ),
    },
)
