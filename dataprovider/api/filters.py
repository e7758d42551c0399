import django_filters

from common.api.filters import (
    DayFilter,
    SinceFilter,
    StrictField,
    StrictFilter,
    UntilFilter,
    WholeNumberFilter,
)
from dataprovider.models import Event, EventStatus


class StatusField(StrictField):
    def parse(self, text: str) -> int:
        return EventStatus(int(text)).value


class RoomIdField(StrictField):
    def parse(self, text: str) -> str:
        if "\0" in text or len(text) > 64:
            raise ValueError(text)
        return text


class StatusFilter(StrictFilter):
    field_class = StatusField
    allowed = "1 (booking) or 2 (cancellation)"
    schema = {"type": "integer", "enum": [1, 2]}


class RoomIdFilter(StrictFilter):
    field_class = RoomIdField
    allowed = "a room id of up to 64 characters"
    schema = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": r"^[^\x00]*$"}


class EventFilter(django_filters.FilterSet):
    hotel_id = WholeNumberFilter()
    updated__gte = SinceFilter(field_name="timestamp", lookup_expr="gte")
    updated__lte = UntilFilter(field_name="timestamp", lookup_expr="lte")
    rpg_status = StatusFilter()
    room_id = RoomIdFilter()
    night_of_stay__gte = DayFilter(field_name="night_of_stay", lookup_expr="gte")
    night_of_stay__lte = DayFilter(field_name="night_of_stay", lookup_expr="lte")
    recorded__gte = SinceFilter(field_name="recorded_at", lookup_expr="gte")

    class Meta:
        model = Event
        fields: list[str] = []
