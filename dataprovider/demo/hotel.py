"""A simulated hotel with random bookings and cancellations. This module stores nothing."""

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from dataprovider.models import Event, EventStatus

DEMO_HOTELS = [1, 2, 3]

ROOMS = [str(100 * floor + room) for floor in range(1, 5) for room in range(1, 11)]
# Demand by month and by weekday, from January and from Monday.
SEASON = (0.45, 0.55, 0.65, 0.8, 0.95, 1.1, 1.4, 1.5, 1.15, 0.9, 0.6, 0.75)
WEEKDAY = (0.8, 0.75, 0.8, 0.9, 1.2, 1.35, 1.0)
MEAN_LEAD_DAYS, MAX_LEAD_DAYS = 35, 360
NIGHTS, NIGHTS_WEIGHTS = (1, 2, 3, 4, 5, 7, 10, 14), (20, 26, 20, 10, 7, 11, 4, 2)
MAX_NIGHTS = max(NIGHTS)
CANCELLED_SHARE = 0.27
MIN_REQUESTS_PER_DAY, MAX_REQUESTS_PER_DAY = 14, 32
# Hours of a day. Cancellations come first, so that a room is free before it is booked again.
CANCELLATION_HOURS, BOOKING_HOURS = (6, 9), (9, 23)


class RoomNight(NamedTuple):
    room_id: str
    night: date


# The booked rooms and nights, each with the time of its booking.
Occupancy = Mapping[RoomNight, datetime]


class StayRequest(NamedTuple):
    arrival: date
    nights: int


@dataclass(frozen=True)
class Stay:
    hotel_id: int
    room_id: str
    arrival: date
    nights: int
    booked_at: datetime

    def room_nights(self) -> Iterator[RoomNight]:
        for offset in range(self.nights):
            yield RoomNight(self.room_id, self.arrival + timedelta(days=offset))

    def events(self, status: EventStatus, at: datetime) -> list[Event]:
        """Return one event per night, without ids."""
        return [
            Event(
                hotel_id=self.hotel_id,
                timestamp=at,
                rpg_status=status,
                room_id=room_id,
                night_of_stay=night,
            )
            for room_id, night in self.room_nights()
        ]


def occupied(events: Iterable[Event]) -> dict[RoomNight, datetime]:
    """Return the rooms and nights that are booked when all these events have happened."""
    occupancy: dict[RoomNight, datetime] = {}
    for event in sorted(events, key=lambda event: (event.timestamp, event.id)):
        room_night = RoomNight(event.room_id, event.night_of_stay)
        if event.rpg_status == EventStatus.BOOKING:
            occupancy[room_night] = event.timestamp
        else:
            occupancy.pop(room_night, None)
    return occupancy


def draw_request(rng: random.Random, today: date) -> StayRequest | None:
    """Draw the request of one guest. Return None more often if the demand of the season is low."""
    lead_days = min(int(rng.expovariate(1 / MEAN_LEAD_DAYS)), MAX_LEAD_DAYS)
    arrival = today + timedelta(days=lead_days)
    demand = SEASON[arrival.month - 1] * WEEKDAY[arrival.weekday()]
    if rng.random() > demand / (max(SEASON) * max(WEEKDAY)):
        return None
    return StayRequest(arrival, rng.choices(NIGHTS, NIGHTS_WEIGHTS)[0])


def find_room(
    rng: random.Random,
    request: StayRequest,
    *,
    hotel_id: int,
    occupancy: Occupancy,
    at: datetime,
) -> Stay | None:
    """Return a stay in a random room that is free on all nights, or None if the hotel is full."""
    for room_id in rng.sample(ROOMS, len(ROOMS)):
        stay = Stay(hotel_id, room_id, request.arrival, request.nights, booked_at=at)
        if not any(room_night in occupancy for room_night in stay.room_nights()):
            return stay
    return None


def pick_stay(
    rng: random.Random, *, hotel_id: int, occupancy: Occupancy, first: date, last: date
) -> Stay | None:
    """Return a random booked stay with all nights between these days, or None.

    The nights of a stay share a room and the time of the booking.
    """
    nights_of_stays: dict[tuple[str, datetime], list[date]] = {}
    for (room_id, night), booked_at in occupancy.items():
        nights_of_stays.setdefault((room_id, booked_at), []).append(night)
    stays = [
        Stay(hotel_id, room_id, min(nights), len(nights), booked_at)
        for (room_id, booked_at), nights in nights_of_stays.items()
        if first <= min(nights) and max(nights) <= last
    ]
    stays.sort(key=lambda stay: (stay.arrival, stay.room_id, stay.booked_at))
    return rng.choice(stays) if stays else None


def generate_history(
    rng: random.Random, *, hotel_id: int, days: int, until: datetime
) -> list[Event]:
    """Return the bookings and cancellations of the days before ``until``, by time, without ids."""
    occupancy: dict[RoomNight, datetime] = {}
    stays_to_cancel: dict[date, list[Stay]] = {}  # by the day of the cancellation
    events: list[Event] = []
    last_midnight = until.replace(hour=0, minute=0, second=0, microsecond=0)
    for age in range(days, -1, -1):
        midnight = last_midnight - timedelta(days=age)
        for stay in stays_to_cancel.pop(midnight.date(), []):
            for room_night in stay.room_nights():
                del occupancy[room_night]
            at = _draw_instant(rng, midnight, until, CANCELLATION_HOURS)
            events += stay.events(EventStatus.CANCELLATION, at)
        for _ in range(rng.randint(MIN_REQUESTS_PER_DAY, MAX_REQUESTS_PER_DAY)):
            at = _draw_instant(rng, midnight, until, BOOKING_HOURS)
            request = draw_request(rng, at.date())
            booked = request and find_room(
                rng, request, hotel_id=hotel_id, occupancy=occupancy, at=at
            )
            if booked is None:
                continue
            occupancy |= dict.fromkeys(booked.room_nights(), at)
            events += booked.events(EventStatus.BOOKING, at)
            cancelled_on = _draw_cancellation_day(rng, booked)
            if cancelled_on:
                stays_to_cancel.setdefault(cancelled_on, []).append(booked)
    return sorted(events, key=lambda event: event.timestamp)


def _draw_cancellation_day(rng: random.Random, stay: Stay) -> date | None:
    """Draw a day between booking and arrival. Return None for a stay that is not cancelled."""
    lead_days = (stay.arrival - stay.booked_at.date()).days
    if lead_days < 2 or rng.random() > CANCELLED_SHARE:
        return None
    return stay.booked_at.date() + timedelta(days=rng.randint(1, lead_days - 1))


def _draw_instant(
    rng: random.Random, midnight: datetime, until: datetime, hours: tuple[int, int]
) -> datetime:
    first, last = hours
    return min(midnight + timedelta(seconds=rng.randrange(first * 3600, last * 3600)), until)
