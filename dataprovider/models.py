import re
from datetime import datetime
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler

# Generated ids start here, so that they never equal an id that a client chose.
FIRST_GENERATED_ID = 1_000_000_000_000

# Room ids that the API returns as numbers.
WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]*")

# The content of an event. If a client reports an event again, these fields must have equal values.
CONTENT_FIELDS = ("hotel_id", "timestamp", "rpg_status", "room_id", "night_of_stay")
API_FIELDS = ("id", *CONTENT_FIELDS)


class EventStatus(models.IntegerChoices):
    BOOKING = 1
    CANCELLATION = 2


class EventQuerySet(models.QuerySet["Event"]):
    def has_id(self, id: int) -> bool:
        return self.filter(pk=id).exists()

    def has_hotel(self, hotel_id: int) -> bool:
        return self.filter(hotel_id=hotel_id).exists()

    def last_recorded(self) -> "Event | None":
        return self.order_by("-recorded_at").first()


class Event(models.Model):
    """A booking or cancellation of one room for one night. Events never change."""

    id = models.BigIntegerField(primary_key=True)
    hotel_id = models.BigIntegerField()
    timestamp = models.DateTimeField()
    rpg_status = models.PositiveSmallIntegerField("RPG status", choices=EventStatus)
    room_id = models.CharField(max_length=64)
    night_of_stay = models.DateField()
    recorded_at = models.DateTimeField()  # when this service received it

    objects = EventQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(rpg_status__in=EventStatus.values), name="event_status"
            )
        ]
        indexes = [
            models.Index(fields=["timestamp", "id"], name="event_order"),
            models.Index(fields=["hotel_id", "timestamp", "id"], name="event_hotel_order"),
            models.Index(fields=["hotel_id", "night_of_stay"], name="event_hotel_night"),
            models.Index(fields=["night_of_stay"], name="event_night"),
            models.Index(fields=["room_id"], name="event_room"),
            models.Index(fields=["recorded_at"], name="event_recorded"),
        ]

    def __str__(self) -> str:
        status = EventStatus(self.rpg_status).label.lower()
        return f"{status} {self.id} of hotel {self.hotel_id} for {self.night_of_stay}"

    def content(self) -> dict[str, Any]:
        """Return the values of ``CONTENT_FIELDS`` by name."""
        return {name: getattr(self, name) for name in CONTENT_FIELDS}


def format_room_id(room_id: str) -> int | str:
    """Return the room id as the API shows it: a number if the text is a plain whole number."""
    return int(room_id) if WHOLE_NUMBER.fullmatch(room_id) else room_id


def generate_event_id(at: datetime) -> int:
    """Return an id for an event without an id: the microseconds from 1970 to ``at``."""
    return max(FIRST_GENERATED_ID, int(at.timestamp() * 1_000_000))


class EventJSON(models.Func):
    """An event as JSON text that the database renders. A page then needs no model instances.

    The text equals the rendered output of ``EventSerializer``, character by character.
    """

    output_field = models.TextField()

    def __init__(self) -> None:
        super().__init__(*API_FIELDS)

    def as_sql(  # type: ignore[override]
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, tuple[str, ...]]:
        columns = [compiler.compile(column)[0] for column in self.get_source_expressions()]
        id, hotel, timestamp, status, room, night = columns
        if connection.vendor == "postgresql":
            seconds = "'YYYY-MM-DD\"T\"HH24:MI:SS.US'"
            timestamp = f"to_char({timestamp} AT TIME ZONE 'UTC', {seconds})"
            timestamp = f"replace({timestamp}, '.000000', '')"
            # Most room ids are numbers. The first test is three times as fast as the pattern.
            room = (
                f"CASE WHEN ltrim({room}, '0123456789') = '' AND left({room}, 1) > '0' "
                f"OR {room} ~ '^({WHOLE_NUMBER.pattern})$' "
                f"THEN {room} ELSE to_json({room})::text END"
            )
        else:
            timestamp = f"replace({timestamp}, ' ', 'T')"
            room = (
                f"CASE WHEN {room} = '0' OR ({room} GLOB '[1-9]*' OR {room} GLOB '-[1-9]*') "
                f"AND substr({room}, 2) NOT GLOB '*[^0-9]*' "
                f"THEN {room} ELSE json_quote({room}) END"
            )
        return (
            f"""'{{"id":' || {id} || ',"hotel_id":' || {hotel}"""
            f""" || ',"timestamp":"' || {timestamp} || 'Z","rpg_status":' || {status}"""
            f""" || ',"room_id":' || {room} || ',"night_of_stay":"' || {night} || '"}}'""",
            (),
        )
