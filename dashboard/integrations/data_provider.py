"""The data provider's ``GET /events``: requests, pagination and the format of events."""

import json
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Any, NamedTuple

from django.conf import settings

from common.http_client import HttpClient, RemoteServiceUnavailable, Response, Timeouts
from dashboard.models import EventStatus

PAGE_LIMIT = 10_000
MAX_PREFETCHED_PAGES = 10
MAX_PAGES_WITHOUT_PROGRESS = 100
MAX_REASON_LENGTH = 255
STATUSES = set(EventStatus.values)
INT64 = range(-(2**63), 2**63)
# No event can be recorded after this. A provider that still returns events ignores the filter.
FAR_FUTURE = "9999-12-31T23:59:59Z"


class ProviderEvent(NamedTuple):
    id: int
    hotel_id: int
    timestamp: datetime  # UTC
    rpg_status: int
    night_of_stay: date


class InvalidEvent(NamedTuple):
    """An item of a page that cannot be counted."""

    content: str  # JSON
    reason: str


@dataclass(frozen=True)
class Page:
    events: list[ProviderEvent] = field(default_factory=list)
    invalid: list[InvalidEvent] = field(default_factory=list)
    next_parameters: dict[str, str] | None = None
    # After this page, every event with a timestamp up to here has been read. None: unknown.
    complete_through: datetime | None = None


class ProviderInfo(NamedTuple):
    filters_by_recorded: bool  # whether it supports recorded__gte
    answered_at: datetime | None  # by the provider's clock


def probe() -> ProviderInfo:
    """Check whether the provider supports ``recorded__gte``, by a request for impossible events.

    :raises RemoteServiceUnavailable:
    """
    with _client() as client:
        response = client.request(
            "GET", "/events", params={"limit": "1", "recorded__gte": FAR_FUTURE}
        )
    if response.status == HTTPStatus.BAD_REQUEST:
        return ProviderInfo(False, response.date)
    page = _parse_page(client.require_success(response))
    return ProviderInfo(not (page.events or page.invalid), response.date)


def fetch_pages(
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    recorded_since: datetime | None = None,
    hotel_id: int | None = None,
) -> Iterator[Page]:
    """Yield all pages of events between these instants, both included, by timestamp and id.

    A thread fetches the next pages while the caller processes this one.

    :raises RemoteServiceUnavailable: also for pages that repeat or never end.
    """
    instants = {"updated__gte": since, "updated__lte": until, "recorded__gte": recorded_since}
    parameters = {"limit": str(PAGE_LIMIT)} | {
        name: _format_instant(instant) for name, instant in instants.items() if instant is not None
    }
    if hotel_id is not None:
        parameters["hotel_id"] = str(hotel_id)
    tracker = _PaginationTracker()
    with _client() as client, closing(_prefetch(client, parameters)) as pages:
        for page in pages:
            yield tracker.track(page)
            tracker.require_progress()


def _client() -> HttpClient:
    return HttpClient(
        settings.DATA_PROVIDER_URL,
        api_key=settings.DATA_PROVIDER_KEY,
        timeouts=Timeouts(*settings.DATA_PROVIDER_TIMEOUTS),
        url_setting="DATA_PROVIDER_URL or PORT",
        key_setting="DATA_PROVIDER_KEY",
    )


def _format_instant(instant: datetime) -> str:
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _prefetch(client: HttpClient, parameters: dict[str, str]) -> Generator[Page]:
    """Yield all pages, the first with these parameters. A thread fetches them in advance."""
    with ThreadPoolExecutor(1) as executor:
        upcoming: deque[Future[Page | None]] = deque()
        upcoming.append(executor.submit(_fetch, client, parameters))
        try:
            while True:
                while len(upcoming) <= MAX_PREFETCHED_PAGES:
                    upcoming.append(executor.submit(_fetch_after, upcoming[-1], client))
                page = upcoming.popleft().result()
                if page is None:
                    return
                yield page
        finally:
            executor.shutdown(wait=False, cancel_futures=True)


def _fetch_after(previous: Future[Page | None], client: HttpClient) -> Page | None:
    page = previous.result()
    if page is None or page.next_parameters is None:
        return None
    return _fetch(client, page.next_parameters)


def _fetch(client: HttpClient, parameters: dict[str, str]) -> Page:
    return _parse_page(client.get("/events", parameters))


class _PaginationTracker:
    """Tracks up to which timestamp all events were read. Detects pages that repeat or never end."""

    def __init__(self) -> None:
        self.latest: datetime | None = None
        self.is_ordered = True
        self.previous_ids: set[int] = set()
        self.links: set[tuple[tuple[str, str], ...]] = set()
        self.pages_without_progress = 0
        self.problem = ""

    def track(self, page: Page) -> Page:
        """Return the page with its ``complete_through``."""
        before, timestamps = self.latest, [event.timestamp for event in page.events]
        if timestamps:
            self.is_ordered &= timestamps == sorted(timestamps)
            self.is_ordered &= before is None or before <= timestamps[0]
            self.latest = max(timestamps if before is None else [before, *timestamps])
        self.pages_without_progress = (
            0 if self.latest != before else self.pages_without_progress + 1
        )
        self._find_problem(page)
        # If pages are not in order, an early event may still be on any page up to the last one.
        is_complete = self.is_ordered or page.next_parameters is None
        return replace(page, complete_through=self.latest if is_complete else None)

    def _find_problem(self, page: Page) -> None:
        ids = {event.id for event in page.events}
        link = tuple(sorted((page.next_parameters or {}).items()))
        if ids and ids == self.previous_ids:
            self.problem = "returned a page twice"
        elif link and link in self.links:
            self.problem = "returned the same next link twice"
        elif self.pages_without_progress > MAX_PAGES_WITHOUT_PROGRESS:
            self.problem = f"returned {MAX_PAGES_WITHOUT_PROGRESS} pages without a later event"
        self.previous_ids = ids or self.previous_ids
        self.links.add(link)

    def require_progress(self) -> None:
        """Check that the pages do not repeat and will end.

        :raises RemoteServiceUnavailable: if a page or a link is repeated, or shows no progress.
        """
        if self.problem:
            url = f"{settings.DATA_PROVIDER_URL.rstrip('/')}/events"
            raise RemoteServiceUnavailable(f"GET {url} {self.problem}")


def _parse_page(response: Response) -> Page:
    try:
        content = _parse_json(response.body)
    except (ValueError, RecursionError) as error:
        raise RemoteServiceUnavailable(f"{response.request} did not return JSON") from error
    if not isinstance(content, list):
        raise RemoteServiceUnavailable(f"{response.request} returned JSON that is not a list")
    return replace(parse_items(content), next_parameters=response.next_parameters)


def _parse_json(body: bytes) -> Any:
    """Parse JSON. A very long number or an invalid character makes only its own event invalid.

    :raises ValueError: if it is not JSON.
    """
    try:
        return json.loads(body)
    except ValueError:
        return json.loads(body.decode(errors="replace"), parse_int=_int_or_text)


def _int_or_text(digits: str) -> int | str:
    return int(digits) if len(digits) < 20 else digits


def parse_items(items: list[Any]) -> Page:
    """Return the valid and the invalid events. An invalid item does not affect the others."""
    events: list[ProviderEvent] = []
    invalid: list[InvalidEvent] = []
    for item in items:
        try:
            events.append(_parse_event(item))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            invalid.append(InvalidEvent(json.dumps(item, sort_keys=True), _reason(item, error)))
    return Page(events, invalid)


def _parse_event(item: dict[str, Any]) -> ProviderEvent:
    id, hotel_id, status = item["id"], item["hotel_id"], item["rpg_status"]
    if not (type(id) is type(hotel_id) is int and id in INT64 and hotel_id in INT64):
        raise ValueError("id and hotel_id must be integers of 64 bits")
    if type(status) is not int or status not in STATUSES:
        raise ValueError(f"rpg_status must be 1 (booking) or 2 (cancellation), not {status!r}")
    timestamp = datetime.fromisoformat(item["timestamp"])
    if timestamp.tzinfo is not UTC:
        timestamp = (
            timestamp.replace(tzinfo=UTC) if timestamp.tzinfo is None else timestamp.astimezone(UTC)
        )
    return ProviderEvent(id, hotel_id, timestamp, status, date.fromisoformat(item["night_of_stay"]))


def _reason(item: Any, error: Exception) -> str:
    if not isinstance(item, dict):
        return "not an object"
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    return str(error)[:MAX_REASON_LENGTH]
