"""A plausible hotel: what its guests would book and cancel. Pure planning, it stores nothing."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from dataprovider.models import Event, Status

ROOMS = [str(100 * floor + door) for floor in range(1, 5) for door in range(1, 11)]
# How much each month and each weekday is liked, January and Monday first.
SEASON = (0.45, 0.55, 0.65, 0.8, 0.95, 1.1, 1.4, 1.5, 1.15, 0.9, 0.6, 0.75)
WEEKDAY = (0.8, 0.75, 0.8, 0.9, 1.2, 1.35, 1.0)
MEAN_LEAD_DAYS = 35
MAX_LEAD_DAYS = 360
NIGHTS, NIGHTS_WEIGHTS = (1, 2, 3, 4, 5, 7, 10, 14), (20, 26, 20, 10, 7, 11, 4, 2)
MAX_STAY_NIGHTS = max(NIGHTS)
CANCELLED_SHARE = 0.27
WISHES_A_DAY = (14, 32)
# Guests cancel before others book, so that no room is given away before it is free.
MORNING, DAYTIME = (6, 9), (9, 23)
DEMO_HOTELS = [1, 2, 3]

# The rooms that are taken, and since when, by room and night.
Taken = Mapping[tuple[str, date], datetime]


@dataclass(frozen=True)
class Stay:
    hotel_id: int
    room_id: str
    arrival: date
    nights: int
    booked_at: datetime

    def days(self) -> Iterator[date]:
        return (self.arrival + timedelta(days=day) for day in range(self.nights))

    def events(self, status: Status, at: datetime) -> list[Event]:
        """One event for each night."""
        return [
            Event(
                hotel_id=self.hotel_id,
                timestamp=at,
                rpg_status=status,
                room_id=self.room_id,
                night_of_stay=day,
            )
            for day in self.days()
        ]


def standing(events: list[Event]) -> dict[tuple[str, date], datetime]:
    """The rooms and nights whose last event is a booking, with its instant."""
    taken: dict[tuple[str, date], datetime] = {}
    for event in sorted(events, key=lambda event: (event.timestamp, event.id)):
        place = (event.room_id, event.night_of_stay)
        if event.rpg_status == Status.BOOKING:
            taken[place] = event.timestamp
        else:
            taken.pop(place, None)
    return taken


def wish(chance: random.Random, today: date) -> tuple[date, int] | None:
    """When a guest would come and for how many nights; None if the season put them off."""
    lead = min(int(chance.expovariate(1 / MEAN_LEAD_DAYS)), MAX_LEAD_DAYS)
    arrival = today + timedelta(days=lead)
    liking = SEASON[arrival.month - 1] * WEEKDAY[arrival.weekday()]
    if chance.random() > liking / (max(SEASON) * max(WEEKDAY)):
        return None
    return arrival, chance.choices(NIGHTS, NIGHTS_WEIGHTS)[0]


def find_room(
    chance: random.Random, *, hotel_id: int, arrival: date, nights: int, taken: Taken, at: datetime
) -> Stay | None:
    """A stay in some room that is free all these nights; None if the hotel is full."""
    for room in chance.sample(ROOMS, len(ROOMS)):
        stay = Stay(hotel_id, room, arrival, nights, at)
        if not any((room, day) in taken for day in stay.days()):
            return stay
    return None


def pick_stay(
    chance: random.Random, *, hotel_id: int, taken: Taken, first: date, last: date
) -> Stay | None:
    """One of the standing stays that lie wholly between these days; None if there is none.

    The nights of a stay share their room and the instant of booking.
    """
    nights_by_stay: dict[tuple[str, datetime], list[date]] = {}
    for (room, day), booked_at in taken.items():
        nights_by_stay.setdefault((room, booked_at), []).append(day)
    stays = [
        Stay(hotel_id, room, min(days), len(days), booked_at)
        for (room, booked_at), days in nights_by_stay.items()
        if first <= min(days) and max(days) <= last
    ]
    stays.sort(key=lambda stay: (stay.arrival, stay.room_id, stay.booked_at))
    return chance.choice(stays) if stays else None


def past(chance: random.Random, *, hotel_id: int, days: int, until: datetime) -> list[Event]:
    """Bookings and cancellations of so many days before this instant, by timestamp; without ids."""
    taken: dict[tuple[str, date], datetime] = {}
    cancelled: dict[date, list[Stay]] = {}  # by the day they will be
    events: list[Event] = []
    last_midnight = until.replace(hour=0, minute=0, second=0, microsecond=0)
    for age in range(days, -1, -1):
        midnight = last_midnight - timedelta(days=age)
        for stay in cancelled.pop(midnight.date(), []):
            for day in stay.days():
                del taken[stay.room_id, day]
            at = _some_time(chance, midnight, until, MORNING)
            events += stay.events(Status.CANCELLATION, at)
        for _ in range(chance.randint(*WISHES_A_DAY)):
            at = _some_time(chance, midnight, until, DAYTIME)
            booked = _book(chance, hotel_id=hotel_id, taken=taken, at=at)
            if booked is None:
                continue
            taken |= dict.fromkeys(((booked.room_id, day) for day in booked.days()), at)
            events += booked.events(Status.BOOKING, at)
            cancelled_on = _change_of_mind(chance, booked)
            if cancelled_on:
                cancelled.setdefault(cancelled_on, []).append(booked)
    return sorted(events, key=lambda event: event.timestamp)


def _book(chance: random.Random, *, hotel_id: int, taken: Taken, at: datetime) -> Stay | None:
    wanted = wish(chance, at.date())
    if wanted is None:
        return None
    arrival, nights = wanted
    return find_room(chance, hotel_id=hotel_id, arrival=arrival, nights=nights, taken=taken, at=at)


def _change_of_mind(chance: random.Random, stay: Stay) -> date | None:
    """The day between booking and arrival on which the stay is cancelled; mostly none."""
    lead = (stay.arrival - stay.booked_at.date()).days
    if lead < 2 or chance.random() > CANCELLED_SHARE:
        return None
    return stay.booked_at.date() + timedelta(days=chance.randint(1, lead - 1))


def _some_time(
    chance: random.Random, midnight: datetime, until: datetime, hours: tuple[int, int]
) -> datetime:
    first, last = hours
    return min(midnight + timedelta(seconds=chance.randrange(first * 3600, last * 3600)), until)
