from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction

from dataprovider.models import Event, generate_event_id

BATCH_SIZE = 1_000


class FieldConflict(NamedTuple):
    stored: Any
    sent: Any


class EventConflict(Exception):
    """The id belongs to a stored event with other content. The stored event is unchanged."""

    def __init__(self, stored: Event, sent: Event) -> None:
        super().__init__(f"event {stored.id} is already stored with other content")
        stored_content, sent_content = stored.content(), sent.content()
        self.conflicts = {
            name: FieldConflict(stored_content[name], sent_content[name])
            for name in stored_content
            if stored_content[name] != sent_content[name]
        }


@dataclass
class RecordingResult:
    """Counts of a batch, and its conflicts by index in the batch."""

    stored: int = 0
    known: int = 0
    conflicts: dict[int, EventConflict] = field(default_factory=dict)


def record_event(*, at: datetime, id: int | None = None, **content: Any) -> tuple[Event, bool]:
    """Record an event once per id. Without an id, it gets the first free generated id.

    Return the stored event, and False if the same event was recorded before.

    :raises EventConflict: if the id belongs to an event with other content.
    """
    if id is None:
        return _record_with_generated_id(at, content), True
    event = Event(id=id, recorded_at=at, **content)
    if _insert(event):
        return event, True
    stored = Event.objects.get(pk=id)
    if stored.content() != event.content():
        raise EventConflict(stored, event)
    return stored, False


def _record_with_generated_id(at: datetime, content: dict[str, Any]) -> Event:
    event = Event(id=generate_event_id(at), recorded_at=at, **content)
    while not _insert(event):
        event.id += 1
    return event


def _insert(event: Event) -> bool:
    """Insert the event. Return False if its id is taken."""
    try:
        with transaction.atomic(using="dataprovider"):
            event.save(force_insert=True)
    except IntegrityError:
        if Event.objects.has_id(event.id):
            return False
        raise
    return True


def record_events(events: Sequence[Event], *, at: datetime) -> RecordingResult:
    """Record events in one transaction, each once per id. Conflicting events are skipped."""
    try:
        return _record_events(events, at)
    except IntegrityError:
        # Another writer stored one of these ids after our query. The second query finds it.
        return _record_events(events, at)


@transaction.atomic(using="dataprovider")
def _record_events(events: Sequence[Event], at: datetime) -> RecordingResult:
    stored = Event.objects.in_bulk([event.id for event in events])
    new: dict[int, Event] = {}
    result = RecordingResult()
    for index, event in enumerate(events):
        earlier = stored.get(event.id) or new.get(event.id)
        if earlier is None:
            event.recorded_at = at
            new[event.id] = event
        elif earlier.content() == event.content():
            result.known += 1
        else:
            result.conflicts[index] = EventConflict(earlier, event)
    # All writers insert in the order of ids, so that two of them cannot deadlock.
    Event.objects.bulk_create(new[id] for id in sorted(new))
    result.stored = len(new)
    return result


def record_new_events(events: Sequence[Event], *, at: datetime) -> int:
    """Record events without ids in one transaction, with generated ids. Return their number."""
    for id, event in enumerate(events, start=generate_event_id(at)):
        event.id = id
        event.recorded_at = at
    return len(Event.objects.bulk_create(events, batch_size=BATCH_SIZE))
