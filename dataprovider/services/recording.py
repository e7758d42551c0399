import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from dataprovider.demo import hotel
from dataprovider.integrations import events_api
from dataprovider.models import Event, Status, given_id


class EventConflict(Exception):
    """The id stands for an event with other content, which stays as it is."""

    def __init__(self, stored: Event, sent: Event) -> None:
        super().__init__(f"event {stored.id} is known with other content")
        before, after = stored.content(), sent.content()
        self.conflicts = {
            name: (before[name], after[name]) for name in before if before[name] != after[name]
        }


@dataclass
class Recorded:
    """What became of many events."""

    stored: int = 0
    known: int = 0
    conflicts: dict[int, EventConflict] = field(default_factory=dict)  # by place


def record_event(*, at: datetime, id: int | None = None, **content: Any) -> tuple[Event, bool]:
    """Record an event, once by its id; without one it gets the next free id from its time.

    Return the stored event, and False if this very event was recorded before.

    :raises EventConflict: if the id stands for an event with other content.
    """
    if id is None:
        return _record_under_a_free_id(at, content), True
    event = Event(id=id, recorded_at=at, **content)
    if _insert(event):
        return event, True
    stored = Event.objects.get(pk=id)
    if stored.content() != event.content():
        raise EventConflict(stored, event)
    return stored, False


def _record_under_a_free_id(at: datetime, content: dict[str, Any]) -> Event:
    event = Event(id=given_id(at), recorded_at=at, **content)
    while not _insert(event):
        event.id += 1
    return event


def _insert(event: Event) -> bool:
    """Insert the event unless its id is taken."""
    try:
        with transaction.atomic(using="dataprovider"):
            event.save(force_insert=True)
    except IntegrityError:
        if Event.objects.filter(pk=event.pk).exists():
            return False
        raise
    return True


def record_events(events: Sequence[Event], *, at: datetime) -> Recorded:
    """Record many events in one transaction, each once by its id; conflicts are left out."""
    try:
        return _record_events(events, at)
    except IntegrityError:
        # Somebody stored one of them since we looked. Now it is there to be seen.
        return _record_events(events, at)


@transaction.atomic(using="dataprovider")
def _record_events(events: Sequence[Event], at: datetime) -> Recorded:
    stored = Event.objects.in_bulk([event.id for event in events])
    fresh: dict[int, Event] = {}
    recorded = Recorded()
    for place, event in enumerate(events):
        earlier = stored.get(event.id) or fresh.get(event.id)
        if earlier is None:
            event.recorded_at = at
            fresh[event.id] = event
        elif earlier.content() == event.content():
            recorded.known += 1
        else:
            recorded.conflicts[place] = EventConflict(earlier, event)
    # In one order for all, so that two writers never wait for each other.
    Event.objects.bulk_create(fresh[id] for id in sorted(fresh))
    recorded.stored = len(fresh)
    return recorded


def record_new_events(events: Sequence[Event], *, at: datetime) -> int:
    """Record events that have no ids yet, in one transaction. Return how many."""
    for id, event in enumerate(events, start=given_id(at)):
        event.id = id
        event.recorded_at = at
    return len(Event.objects.bulk_create(events, batch_size=1_000))


def simulate_events(*, hotel_id: int, at: datetime, chance: random.Random) -> int:
    """Let a guest of the hotel book, and now and then another one cancel, over HTTP.

    Return how many events were reported.

    :raises EventsUnavailable: if ``/events`` is away; what was reported before that stands.
    """
    wanted = hotel.wish(chance, at.date())
    if wanted is None:
        return 0
    arrival, nights = wanted
    first = arrival - timedelta(days=hotel.MAX_STAY_NIGHTS)
    last = arrival + timedelta(days=2 * hotel.MAX_STAY_NIGHTS)
    taken = hotel.standing(events_api.fetch(hotel_id=hotel_id, first=first, last=last))
    events: list[Event] = []
    stay = hotel.find_room(
        chance, hotel_id=hotel_id, arrival=arrival, nights=nights, taken=taken, at=at
    )
    if stay:
        events += stay.events(Status.BOOKING, at)
    if chance.random() < hotel.CANCELLED_SHARE:
        cancelled = hotel.pick_stay(
            chance, hotel_id=hotel_id, taken=taken, first=max(arrival, at.date()), last=last
        )
        events += cancelled.events(Status.CANCELLATION, at) if cancelled else []
    for event in events:
        events_api.post(event)
    return len(events)
