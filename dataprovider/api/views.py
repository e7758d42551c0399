import json
from datetime import timedelta
from typing import Any

from django.utils import timezone
from rest_framework import mixins, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from common.api.errors import Conflict
from common.api.json_format import RenderedJSON
from common.api.pagination import KeysetPagination
from common.api.views import StrictView
from dataprovider.api import docs
from dataprovider.api.filters import EventFilter
from dataprovider.api.serializers import EventSerializer
from dataprovider.models import Event, EventJSON
from dataprovider.services.recording import EventConflict, record_event

EXAMPLE_LEAD_TIME = timedelta(days=14)


class EventViewSet(StrictView, mixins.ListModelMixin, viewsets.GenericViewSet[Event]):
    """Bookings and cancellations of hotels, one for each room and night, by timestamp and id.

    Events are reported once and never change.
    """

    queryset = Event.objects.all()
    serializer_class = EventSerializer
    filterset_class = EventFilter
    keyset = ("timestamp", "id")

    def example(self, method: str) -> Any:
        """Return a new booking. It has no id, so each use of the form creates a new event."""
        if method != "POST":
            return None
        now = timezone.now()
        content = docs.EVENT | {
            "timestamp": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "night_of_stay": str((now + EXAMPLE_LEAD_TIME).date()),
        }
        return {name: value for name, value in content.items() if name != "id"}

    @docs.list_events
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List events by timestamp and id, oldest first. Filters can be combined."""
        if request.accepted_renderer.format != "json":
            return super().list(request, *args, **kwargs)
        pagination = KeysetPagination()
        queryset = self.filter_queryset(self.get_queryset())
        window = pagination.window(queryset, request, self.keyset)
        events = list(window.values_list(EventJSON(), flat=True))
        if len(events) > pagination.limit:
            events.pop()
            last = json.loads(events[-1])
            pagination.set_next_link(last[name] for name in self.keyset)
        return pagination.get_paginated_response(RenderedJSON(f"[{','.join(events)}]"))

    @docs.create_event
    def create(self, request: Request) -> Response:
        """Record an event. Reporting the same event again changes nothing."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        try:
            event, is_new = record_event(at=timezone.now(), **serializer.validated_data)
        except EventConflict as error:
            raise Conflict(str(error), _format_conflicts(error)) from error
        return Response(
            self.get_serializer(event).data,
            status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK,
        )


def _format_conflicts(error: EventConflict) -> dict[str, dict[str, Any]]:
    fields = EventSerializer().fields
    return {
        name: {
            "stored": fields[name].to_representation(conflict.stored),
            "sent": fields[name].to_representation(conflict.sent),
        }
        for name, conflict in error.conflicts.items()
    }
