import re
from datetime import datetime
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler

# Ids that this service gives start here, so that they never meet a feed's own.
FIRST_GIVEN_ID = 1_000_000_000_000

# What is answered as a number.
WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]*")


class Status(models.IntegerChoices):
    BOOKING = 1
    CANCELLATION = 2


class Event(models.Model):
    """A booking or cancellation of one room for one night. A fact: it never changes."""

    id = models.BigIntegerField(primary_key=True)
    hotel_id = models.BigIntegerField()
    timestamp = models.DateTimeField()
    rpg_status = models.PositiveSmallIntegerField("RPG status", choices=Status)
    room_id = models.CharField(max_length=64)
    night_of_stay = models.DateField()
    recorded_at = models.DateTimeField()  # when it reached this service

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(rpg_status__in=Status.values), name="booking_or_cancellation"
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
        what = Status(self.rpg_status).label.lower()
        return f"{what} {self.id} of hotel {self.hotel_id} for {self.night_of_stay}"

    def content(self) -> dict[str, Any]:
        """What a repeated report must equal."""
        names = ("hotel_id", "timestamp", "rpg_status", "room_id", "night_of_stay")
        return {name: getattr(self, name) for name in names}


def spoken_room_id(room_id: str) -> int | str:
    """A room's id as it is answered: a number where it reads as a plain whole number."""
    return int(room_id) if WHOLE_NUMBER.fullmatch(room_id) else room_id


def given_id(at: datetime) -> int:
    """An id for an event that came without one: the microsecond it came, counted from 1970."""
    return max(FIRST_GIVEN_ID, int(at.timestamp() * 1_000_000))


class RenderedEvent(models.Func):
    """An event as JSON text, rendered by the store: a page costs no model instances.

    It equals what ``EventSerializer`` answers, to the letter.
    """

    output_field = models.TextField()

    def __init__(self) -> None:
        names = ("id", "hotel_id", "timestamp", "rpg_status", "room_id", "night_of_stay")
        super().__init__(*names)

    def as_sql(  # type: ignore[override]
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, tuple[str, ...]]:
        columns = [compiler.compile(column)[0] for column in self.get_source_expressions()]
        key, hotel, timestamp, status, room, night = columns
        if connection.vendor == "postgresql":
            seconds = "'YYYY-MM-DD\"T\"HH24:MI:SS.US'"
            timestamp = f"to_char({timestamp} AT TIME ZONE 'UTC', {seconds})"
            timestamp = f"replace({timestamp}, '.000000', '')"
            # Most rooms are numbers, for which this is a third of the pattern's cost.
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
            f"""'{{"id":' || {key} || ',"hotel_id":' || {hotel}"""
            f""" || ',"timestamp":"' || {timestamp} || 'Z","rpg_status":' || {status}"""
            f""" || ',"room_id":' || {room} || ',"night_of_stay":"' || {night} || '"}}'""",
            (),
        )
