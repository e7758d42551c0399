import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from uuid import uuid4

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import QuerySet

from common.time_budget import HasTimeLeft, unlimited
from dashboard.integrations import data_provider as provider
from dashboard.integrations.data_provider import Event, Page, Unusable
from dashboard.models import DailyTotal, Ingestion, Reading, RejectedEvent, Status
from dashboard.services import bulk_insert as bulk

PAGES_A_COMMIT = 10
PAGES_REREAD_A_RUN = 5
NIGHT_OF_STAY, TIMESTAMP = Reading.NIGHT_OF_STAY.value, Reading.TIMESTAMP.value
EARLIEST = datetime.min.replace(tzinfo=UTC)

Progress = Callable[[Page], None]


@dataclass
class Ingested:
    """What a run did."""

    stored: int = 0
    known: int = 0
    rejected: int = 0
    is_turned_away: bool = False  # another run was at work

    def __iadd__(self, other: "Ingested") -> "Ingested":
        self.stored += other.stored
        self.known += other.known
        self.rejected += other.rejected
        return self


def ingest_events(
    *, at: datetime, progress: Progress | None = None, has_time_left: HasTimeLeft = unlimited
) -> Ingested:
    """Copy what the data provider has reported since the last run; one run at a time.

    First by the events' timestamps, on from the watermark less an overlap; then what reached the
    provider since the last run, whatever its timestamp. What is committed stays when a run fails,
    or is cut short.

    :raises ProviderUnavailable: the watermark then stays where the last good page left it.
    """
    lease = Ingestion.objects.lease(settings.INGEST_LEASE)
    if lease is None:
        return Ingested(is_turned_away=True)

    def alive(page: Page) -> None:
        Ingestion.objects.renew(lease, settings.INGEST_LEASE)
        if progress:
            progress(page)

    try:
        return _ingest(at, alive, has_time_left)
    finally:
        Ingestion.objects.release(lease)


def backfill_events(
    *,
    since: datetime | None,
    until: datetime | None,
    progress: Progress | None = None,
    at: datetime,
) -> Ingested:
    """Copy the provider's events of an interval, both ends included; the watermark stays.

    :raises ProviderUnavailable: what is committed stays.
    """
    found = provider.pages(since=since, until=until)
    return _store_all(found, at=at, progress=progress or _ignore)


def _ingest(at: datetime, progress: Progress, has_time_left: HasTimeLeft) -> Ingested:
    state = Ingestion.objects.current()
    probe = provider.probe()
    # A provider whose clock is ahead costs reading twice; one believed to be would cost events.
    provider_time = min(probe.answered_at or at, at)
    is_first = state.recorded_through is None
    if is_first:
        # From here on nothing is missed that comes late, even if this run breaks off.
        state.recorded_through = provider_time
        state.save(update_fields=["recorded_through"])
    found = _for_now(provider.pages(since=_overlapped(state.watermark)), has_time_left)
    done = _store_all(found, at=at, progress=progress, latest=_overlapped(at))
    if not is_first and has_time_left():
        if probe.knows_recorded:
            if state.late_through is None:
                state.late_through, state.reread_through = provider_time, None
            late = _what_came_late(state, has_time_left)
            done += _store_all(late, at=at, progress=progress)
        else:
            done += _reread_some_of_the_past(state, at, progress)
    if has_time_left():
        state.completed_at = at
    state.save(update_fields=["recorded_through", "late_through", "reread_through", "completed_at"])
    return done


def _for_now(found: Iterator[Page], has_time_left: HasTimeLeft) -> Iterator[Page]:
    """The pages that there is time for."""
    for page in found:
        yield page
        if not has_time_left():
            return


def _what_came_late(state: Ingestion, has_time_left: HasTimeLeft) -> Iterator[Page]:
    """What was recorded since the last pass; one that is cut short goes on in the next run.

    ``state`` says where, and how far all is read when the pass has ended.
    """
    since = _overlapped(state.recorded_through)
    for page in provider.pages(since=state.reread_through, recorded_since=since):
        yield page
        state.reread_through = page.through or state.reread_through
        if not has_time_left():
            return
    state.recorded_through, state.late_through = state.late_through, None
    state.reread_through = None


def _reread_some_of_the_past(state: Ingestion, at: datetime, progress: Progress) -> Ingested:
    """Re-read a few pages of the past, round and round; ``state`` says where."""
    since = state.reread_through

    def some() -> Iterator[Page]:
        for count, page in enumerate(provider.pages(since=since), start=1):
            yield page
            if count >= PAGES_REREAD_A_RUN and (page.through or EARLIEST) > (since or EARLIEST):
                state.reread_through = page.through
                return
        state.reread_through = None

    return _store_all(some(), at=at, progress=progress)


def _store_all(
    found: Iterator[Page], *, at: datetime, progress: Progress, latest: datetime | None = None
) -> Ingested:
    done = Ingested()
    with bulk.garbage_left_alone():
        for some in _batches(found, progress):
            done += store_pages(some, at=at, latest=latest)
    return done


def _batches(found: Iterator[Page], progress: Progress) -> Iterator[list[Page]]:
    """The pages by the commit; those that came before a failure come before it here too."""
    some: list[Page] = []
    try:
        for page in found:
            progress(page)
            some.append(page)
            if len(some) == PAGES_A_COMMIT:
                yield some
                some = []
    except provider.ProviderUnavailable:
        if some:
            yield some
        raise
    if some:
        yield some


@transaction.atomic(using="dashboard")
def store_pages(some: list[Page], *, at: datetime, latest: datetime | None = None) -> Ingested:
    """Store each event once by its id, count it in both readings, and put aside what is unusable.

    With ``latest`` the watermark moves as far as everything has been read, but not past
    ``latest``; all in one transaction.
    """
    state = Ingestion.objects.locked()
    events = [event for page in some for event in page.events]
    unusable = [item for page in some for item in page.unusable]
    stored = bulk.stored_among([event.id for event in events]) if events else {}
    fresh: dict[int, Event] = {}
    for event in events:
        earlier = stored.get(event.id) or fresh.setdefault(event.id, event)
        if earlier != event:
            unusable.append(_contradiction(event))
    if fresh:
        bulk.insert_events(fresh.values())
        bulk.add_to_totals(_count(fresh.values()))
    rejected = _put_aside(unusable, at=at)
    through = some[-1].through
    if latest is not None and through is not None:
        state.advance(min(through, latest))
    if fresh:
        state.version = uuid4()
    state.save(update_fields=["watermark", "version"])
    return Ingested(len(fresh), len(events) - len(fresh), rejected)


class Outcome(StrEnum):
    """What became of an event that was put aside."""

    STORED = "stored and counted"
    KNOWN = "known already"
    REJECTED = "rejected again"
    GONE = "gone meanwhile"


@transaction.atomic(using="dashboard")
def reconsider(rejected: RejectedEvent, *, at: datetime) -> Outcome:
    """Judge an event that was put aside anew, as if the provider had just reported it.

    It is stored and counted once, or put aside again for what is wrong with it now.
    """
    Ingestion.objects.locked()
    deleted, _ = RejectedEvent.objects.filter(pk=rejected.pk).delete()
    if not deleted:
        return Outcome.GONE
    page = provider.read_items([json.loads(rejected.content)])
    if store_pages([page], at=at).stored:
        return Outcome.STORED
    stored = bulk.stored_among([event.id for event in page.events]) if page.events else {}
    is_known = bool(stored) and list(stored.values()) == page.events
    return Outcome.KNOWN if is_known else Outcome.REJECTED


def _count(events: Collection[Event]) -> bulk.Counts:
    nights = Counter([(event[1], event[4], event[3]) for event in events])
    days = Counter([(event[1], event[2].date(), event[3]) for event in events])
    return Counter(
        {
            (hotel_id, reading, day, status): count
            for reading, counts in ((NIGHT_OF_STAY, nights), (TIMESTAMP, days))
            for (hotel_id, day, status), count in counts.items()
        }
    )


def _contradiction(event: Event) -> Unusable:
    content = json.dumps(event._asdict(), cls=DjangoJSONEncoder, sort_keys=True)
    return Unusable(content, f"id {event.id} is stored with other content")


def _put_aside(unusable: list[Unusable], *, at: datetime) -> int:
    """Keep what cannot be used for a person to see. Return how many are new."""
    rows = {hashlib.sha256(item.content.encode()).hexdigest(): item for item in unusable}
    for known in RejectedEvent.objects.filter(digest__in=rows).values_list("digest", flat=True):
        del rows[known]
    RejectedEvent.objects.bulk_create(
        RejectedEvent(digest=digest, content=item.content, reason=item.reason, rejected_at=at)
        for digest, item in rows.items()
    )
    return len(rows)


def _overlapped(instant: datetime | None) -> datetime | None:
    """So much before the instant as runs re-read; no earlier than time itself."""
    if instant is None:
        return None
    return instant - min(settings.INGEST_OVERLAP, instant - EARLIEST)


def _ignore(page: Page) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class Difference:
    """A day on which the dashboard and the provider do not agree."""

    hotel_id: int
    reading: str
    day: date
    status: int
    provider: int
    dashboard: int


def compare_with_provider(*, progress: Progress | None = None) -> list[Difference]:
    """Count all of the provider's events anew and name each day that differs, by hotel.

    Events that were put aside as unusable are counted on neither side.

    :raises ProviderUnavailable: if not all events could be read.
    """
    theirs: bulk.Counts = Counter()
    for page in provider.pages():
        theirs.update(_count(page.events))
        (progress or _ignore)(page)
    return _differences(theirs, _counted(DailyTotal.objects.all()))


def compare_hotel(hotel_id: int) -> list[Difference]:
    """As :func:`compare_with_provider`, for one hotel."""
    theirs: bulk.Counts = Counter()
    for page in provider.pages(hotel_id=hotel_id):
        theirs.update(_count(page.events))
    return _differences(theirs, _counted(DailyTotal.objects.filter(hotel_id=hotel_id)))


def _counted(totals: QuerySet[DailyTotal]) -> bulk.Counts:
    counts: bulk.Counts = Counter()
    for total in totals.iterator():
        place = (total.hotel_id, total.reading, total.day)
        counts[*place, Status.BOOKING.value] = total.bookings
        counts[*place, Status.CANCELLATION.value] = total.cancellations
    return counts


def _differences(theirs: bulk.Counts, ours: bulk.Counts) -> list[Difference]:
    return [
        Difference(*place, provider=theirs[place], dashboard=ours[place])
        for place in sorted(theirs.keys() | ours.keys())
        if theirs[place] != ours[place]
    ]
