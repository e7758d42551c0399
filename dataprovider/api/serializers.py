from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common.api.fields import ChoiceField, DayField, InstantField, Int64Field
from dataprovider.models import API_FIELDS, Event, EventStatus, format_room_id

ROOM_ID_SCHEMA = {
    "oneOf": [
        {"type": "integer"},
        {"type": "string", "minLength": 1, "maxLength": 64, "pattern": r"^[^\u0000]*$"},
    ],
    "example": 1,
}


@extend_schema_field(ROOM_ID_SCHEMA)
class RoomIdField(serializers.CharField):
    """An integer or a string of 1 to 64 characters; ``1`` and ``"1"`` are the same room."""

    default_error_messages = {"invalid": "Must be an integer or a string of up to 64 characters."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=64, trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, bool) or not isinstance(data, int | str):
            self.fail("invalid")
        return str(data)

    def to_representation(self, value: str) -> Any:
        return format_room_id(value)


class EventSerializer(serializers.ModelSerializer[Event]):
    id = Int64Field(
        required=False,
        help_text="Optional. By default, the service generates an id from 1,000,000,000,000 up.",
    )
    hotel_id = Int64Field()
    timestamp = InstantField(help_text="When the room was booked or cancelled.")
    rpg_status = ChoiceField(EventStatus.choices, help_text="1 booking, 2 cancellation.")
    room_id = RoomIdField()
    night_of_stay = DayField()

    class Meta:
        model = Event
        fields = API_FIELDS
