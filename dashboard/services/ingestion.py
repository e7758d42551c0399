import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from uuid import uuid4

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from common.http_client import RemoteServiceUnavailable
from common.time_budget import HasTimeLeft, unlimited
from dashboard.integrations.data_provider import (
    InvalidEvent,
    Page,
    ProviderEvent,
    fetch_pages,
    probe,
)
from dashboard.models import Ingestion, RejectedEvent
from dashboard.services.bulk_insert import (
    add_to_totals,
    count_events,
    find_stored,
    gc_disabled,
    insert_events,
)

PAGES_PER_COMMIT = 10
REREAD_PAGES_PER_RUN = 5
EARLIEST = datetime.min.replace(tzinfo=UTC)

Progress = Callable[[Page], None]


@dataclass
class IngestionResult:
    stored: int = 0
    known: int = 0
    rejected: int = 0
    already_running: bool = False  # another run has the lease, so this run did nothing

    def __iadd__(self, other: "IngestionResult") -> "IngestionResult":
        self.stored += other.stored
        self.known += other.known
        self.rejected += other.rejected
        return self


def ignore_progress(page: Page) -> None:
    pass


def ingest_events(
    *,
    at: datetime,
    progress: Progress = ignore_progress,
    has_time_left: HasTimeLeft = unlimited,
) -> IngestionResult:
    """Copy the events that the provider has reported since the last run. One run at a time.

    The first pass reads by timestamp, from the watermark minus an overlap. The second pass reads
    events that the provider recorded since the last run, with any timestamp. If a run fails or has
    no time left, the committed events stay, and the next run continues after them.

    :raises RemoteServiceUnavailable: the watermark then stays at the last complete page.
    """
    lease = Ingestion.objects.acquire_lease(settings.INGEST_LEASE)
    if lease is None:
        return IngestionResult(already_running=True)

    def renew_lease(page: Page) -> None:
        Ingestion.objects.renew_lease(lease, settings.INGEST_LEASE)
        progress(page)

    try:
        return _ingest(at, renew_lease, has_time_left)
    finally:
        Ingestion.objects.release_lease(lease)


def backfill_events(
    *,
    since: datetime | None,
    until: datetime | None,
    at: datetime,
    progress: Progress = ignore_progress,
) -> IngestionResult:
    """Copy the events with timestamps in an interval, bounds included.

    The watermark does not change.

    :raises RemoteServiceUnavailable: the committed events stay.
    """
    return _store_all(fetch_pages(since=since, until=until), at=at, progress=progress)


def _ingest(at: datetime, progress: Progress, has_time_left: HasTimeLeft) -> IngestionResult:
    state = Ingestion.objects.current()
    provider = probe()
    # The clocks may differ. A time that is too early makes the next run read some events again,
    # but a time that is too late would skip events.
    provider_time = min(provider.answered_at or at, at)
    is_first_run = state.recorded_through is None
    if is_first_run:
        # Save it now. If this run fails, the next run must read events that are recorded meanwhile.
        state.recorded_through = provider_time
        state.save(update_fields=["recorded_through"])
    pages = _while_time_left(fetch_pages(since=_minus_overlap(state.watermark)), has_time_left)
    result = _store_all(pages, at=at, progress=progress, max_watermark=_minus_overlap(at))
    if not is_first_run and has_time_left():
        if provider.filters_by_recorded:
            if state.next_recorded_through is None:
                state.next_recorded_through, state.scan_position = provider_time, None
            pages = _late_pages(state, has_time_left)
        else:
            pages = _reread_pages(state)
        result += _store_all(pages, at=at, progress=progress)
    if has_time_left():
        state.completed_at = at
    state.save(
        update_fields=[
            "recorded_through",
            "next_recorded_through",
            "scan_position",
            "completed_at",
        ]
    )
    return result


def _while_time_left(pages: Iterator[Page], has_time_left: HasTimeLeft) -> Iterator[Page]:
    for page in pages:
        yield page
        if not has_time_left():
            return


def _late_pages(state: Ingestion, has_time_left: HasTimeLeft) -> Iterator[Page]:
    """Yield the events recorded since ``recorded_through``, and update ``state``.

    The next run continues an unfinished pass at its ``scan_position``.
    """
    recorded_since = _minus_overlap(state.recorded_through)
    for page in fetch_pages(since=state.scan_position, recorded_since=recorded_since):
        yield page
        state.scan_position = page.complete_through or state.scan_position
        if not has_time_left():
            return
    state.recorded_through, state.next_recorded_through = state.next_recorded_through, None
    state.scan_position = None


def _reread_pages(state: Ingestion) -> Iterator[Page]:
    """Yield a few pages from ``scan_position`` on, and update ``state``.

    After the last page, the next run starts with the first page again.
    """
    since = state.scan_position
    for number, page in enumerate(fetch_pages(since=since), start=1):
        yield page
        has_advanced = (page.complete_through or EARLIEST) > (since or EARLIEST)
        if number >= REREAD_PAGES_PER_RUN and has_advanced:
            state.scan_position = page.complete_through
            return
    state.scan_position = None


def _store_all(
    pages: Iterator[Page],
    *,
    at: datetime,
    progress: Progress,
    max_watermark: datetime | None = None,
) -> IngestionResult:
    result = IngestionResult()
    with gc_disabled():
        for batch in _batches(pages, progress):
            result += store_pages(batch, at=at, max_watermark=max_watermark)
    return result


def _batches(pages: Iterator[Page], progress: Progress) -> Iterator[list[Page]]:
    """Yield the pages in batches, one per commit. Pages before a failure are yielded, too."""
    batch: list[Page] = []
    try:
        for page in pages:
            progress(page)
            batch.append(page)
            if len(batch) == PAGES_PER_COMMIT:
                yield batch
                batch = []
    except RemoteServiceUnavailable:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


@transaction.atomic(using="dashboard")
def store_pages(
    pages: list[Page], *, at: datetime, max_watermark: datetime | None = None
) -> IngestionResult:
    """Store and count each new event once, and store invalid events as rejected.

    With ``max_watermark``, also advance the watermark, in the same transaction. It moves to the
    ``complete_through`` of the last page, but not past ``max_watermark``.
    """
    state = Ingestion.objects.locked()
    events = list(chain.from_iterable(page.events for page in pages))
    invalid = list(chain.from_iterable(page.invalid for page in pages))
    stored = find_stored([event.id for event in events]) if events else {}
    new: dict[int, ProviderEvent] = {}
    for event in events:
        earlier = stored.get(event.id) or new.setdefault(event.id, event)
        if earlier != event:
            invalid.append(_conflict(event))
    if new:
        insert_events(new.values())
        add_to_totals(count_events(new.values()))
        state.version = uuid4()
    rejected = RejectedEvent.objects.record(dict(invalid), at=at)
    complete_through = pages[-1].complete_through
    if max_watermark is not None and complete_through is not None:
        state.advance_watermark(min(complete_through, max_watermark))
    state.save(update_fields=["watermark", "version"])
    return IngestionResult(stored=len(new), known=len(events) - len(new), rejected=rejected)


def _conflict(event: ProviderEvent) -> InvalidEvent:
    content = json.dumps(event._asdict(), cls=DjangoJSONEncoder, sort_keys=True)
    return InvalidEvent(content, f"id {event.id} is stored with other content")


def _minus_overlap(instant: datetime | None) -> datetime | None:
    """Return the instant minus the overlap, which is read twice. It is never before year 1."""
    if instant is None:
        return None
    return instant - min(settings.INGEST_OVERLAP, instant - EARLIEST)
