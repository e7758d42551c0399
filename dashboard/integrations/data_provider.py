"""The data provider, as its ``GET /events`` is met over HTTP: address, wire format, failures."""

import json
import time
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import requests
from django.conf import settings
from urllib3.exceptions import HTTPError

PAGE_LIMIT = 10_000
PAGES_AHEAD = 10
MAX_BYTES = 64 * 1024 * 1024
MAX_IDLE_PAGES = 100
PIECE = 256 * 1024
INT64 = range(-(2**63), 2**63)
# Nothing was recorded from here on: what a provider answers tells whether it knows the filter.
NEVER = "9999-12-31T23:59:59Z"


class ProviderUnavailable(Exception):
    """The provider is away, failed, or answered what cannot be trusted."""


class Event(NamedTuple):
    id: int
    hotel_id: int
    timestamp: datetime  # UTC
    rpg_status: int
    night_of_stay: date


class Unusable(NamedTuple):
    """Something in a page that is no event we can count."""

    content: str  # JSON
    reason: str


@dataclass(frozen=True)
class Page:
    events: list[Event] = field(default_factory=list)
    unusable: list[Unusable] = field(default_factory=list)
    next: dict[str, str] | None = None
    through: datetime | None = None  # with this page every event up to here has been read


def pages(
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    recorded_since: datetime | None = None,
    hotel_id: int | None = None,
) -> Iterator[Page]:
    """Every page of events between these instants, both included, by timestamp and id.

    The next pages are fetched while the caller works on this one.

    :raises ProviderUnavailable: also for pages that repeat or never end.
    """
    parameters = {"limit": str(PAGE_LIMIT)}
    for name, value in {
        "updated__gte": since,
        "updated__lte": until,
        "recorded__gte": recorded_since,
    }.items():
        if value is not None:
            parameters[name] = _spell(value)
    if hotel_id is not None:
        parameters["hotel_id"] = str(hotel_id)
    course = _Course()
    with requests.Session() as session, closing(_fetched_ahead(session, parameters)) as found:
        for page in found:
            yield course.of(page)
            course.must_lead_on()


def _fetched_ahead(session: requests.Session, parameters: dict[str, str]) -> Generator[Page]:
    """Pages from this one on, as their links lead, fetched by a thread a few ahead."""
    with ThreadPoolExecutor(1) as ahead:
        upcoming: deque[Future[Page | None]] = deque()
        upcoming.append(ahead.submit(_fetch, session, parameters))
        try:
            while True:
                while len(upcoming) <= PAGES_AHEAD:
                    upcoming.append(ahead.submit(_fetch_after, upcoming[-1], session))
                page = upcoming.popleft().result()
                if page is None:
                    return
                yield page
        finally:
            ahead.shutdown(wait=False, cancel_futures=True)


class Probe(NamedTuple):
    """What the provider says of itself."""

    knows_recorded: bool  # it can filter by when events reached it
    answered_at: datetime | None  # by its own clock


def probe() -> Probe:
    """Ask the provider for what cannot be: who ignores the question does not know the filter.

    :raises ProviderUnavailable: if it could not be asked.
    """
    with requests.Session() as session:
        answer = _get(session, {"limit": "1", "recorded__gte": NEVER})
    if answer.status == requests.codes.bad_request:
        return Probe(False, answer.answered_at)
    page = _read_page(answer)
    return Probe(not (page.events or page.unusable), answer.answered_at)


class _Course:
    """Where the pages lead: how far all is read, and whether they still lead anywhere."""

    def __init__(self) -> None:
        self.latest: datetime | None = None
        self.is_in_order = True
        self.ids: set[int] = set()
        self.links: set[tuple[tuple[str, str], ...]] = set()
        self.idle_pages = 0
        self.objection = ""

    def of(self, page: Page) -> Page:
        """The page, with how far everything has been read with it."""
        before, times = self.latest, [event.timestamp for event in page.events]
        if times:
            self.is_in_order &= times == sorted(times) and (before is None or before <= times[0])
            self.latest = max(times if before is None else [before, *times])
        self.idle_pages = 0 if self.latest != before else self.idle_pages + 1
        self._object(page)
        # In disorder, what is early may still come, until the last page has been read.
        is_through = self.is_in_order or page.next is None
        return replace(page, through=self.latest if is_through else None)

    def _object(self, page: Page) -> None:
        ids = {event.id for event in page.events}
        link = tuple(sorted((page.next or {}).items()))
        if ids and ids == self.ids:
            self.objection = "gave a page twice"
        elif link and link in self.links:
            self.objection = "gave the same next link twice"
        elif self.idle_pages > MAX_IDLE_PAGES:
            self.objection = f"gave {MAX_IDLE_PAGES} pages that led no further"
        self.ids = ids or self.ids
        self.links.add(link)

    def must_lead_on(self) -> None:
        """Refuse to go on where something is missing, or no end is to be seen.

        :raises ProviderUnavailable: saying what the last page did.
        """
        if self.objection:
            raise ProviderUnavailable(f"GET {_url()} {self.objection}")


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes
    next: dict[str, str] | None
    answered_at: datetime | None


def _url() -> str:
    return f"{settings.DATA_PROVIDER_URL.rstrip('/')}/events"


def _spell(instant: datetime) -> str:
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _fetch_after(before: Future[Page | None], session: requests.Session) -> Page | None:
    page = before.result()
    return None if page is None or page.next is None else _fetch(session, page.next)


def _fetch(session: requests.Session, parameters: dict[str, str]) -> Page:
    return _read_page(_get(session, parameters))


def _get(session: requests.Session, parameters: dict[str, str]) -> _Answer:
    connect, read, whole = settings.DATA_PROVIDER_TIMEOUTS
    key = settings.DATA_PROVIDER_KEY
    deadline = time.monotonic() + whole
    try:
        with session.get(
            _url(),
            params=parameters,
            timeout=(connect, read),
            headers={"Accept": "application/json"}
            | ({"Authorization": f"Api-Key {key}"} if key else {}),
            # A redirect would carry the key to whoever it names.
            allow_redirects=False,
            stream=True,
        ) as response:
            body = bytearray()
            # Whatever has come: waiting for more could go on for ever.
            while piece := response.raw.read1(PIECE, decode_content=True):
                body += piece
                if len(body) > MAX_BYTES:
                    raise ProviderUnavailable(f"GET {_url()} answered over {MAX_BYTES} bytes")
                if time.monotonic() > deadline:
                    raise ProviderUnavailable(f"GET {_url()} took over {whole:g} seconds")
            return _Answer(
                response.status_code, bytes(body), _next_of(response), _date_of(response)
            )
    except (requests.RequestException, HTTPError) as error:
        reason = f"GET {_url()} failed: {type(error).__name__} (DATA_PROVIDER_URL, or else PORT)"
        raise ProviderUnavailable(reason) from error


def _next_of(response: requests.Response) -> dict[str, str] | None:
    """The query that the next link asks for; host and path stay the ones we were given."""
    link = response.links.get("next")
    if link is None:
        return None
    try:
        return dict(parse_qsl(urlsplit(link["url"]).query))
    except ValueError as error:
        raise ProviderUnavailable(f"GET {_url()} gave a next link that is none") from error


def _date_of(response: requests.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers["Date"]).astimezone(UTC)
    except (KeyError, ValueError, OverflowError):
        return None


def _read_page(answer: _Answer) -> Page:
    if answer.status != requests.codes.ok:
        hint = " (DATA_PROVIDER_KEY)" if answer.status in {401, 403} else ""
        raise ProviderUnavailable(f"GET {_url()} answered {answer.status}{hint}")
    try:
        content = _read_json(answer.body)
    except (ValueError, RecursionError) as error:
        raise ProviderUnavailable(f"GET {_url()} answered what is no JSON") from error
    if not isinstance(content, list):
        raise ProviderUnavailable(f"GET {_url()} answered JSON that is no list")
    return replace(read_items(content), next=answer.next)


def read_items(items: list[Any]) -> Page:
    """Events as the provider answers them, each judged by itself."""
    events: list[Event] = []
    unusable: list[Unusable] = []
    for item in items:
        try:
            events.append(_read_event(item))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            unusable.append(Unusable(json.dumps(item, sort_keys=True), _reason(item, error)))
    return Page(events, unusable)


def _read_json(body: bytes) -> Any:
    """JSON in which one endless number or broken character spoils its own event alone.

    :raises ValueError: if it is no JSON.
    """
    try:
        return json.loads(body)
    except ValueError:
        return json.loads(body.decode(errors="replace"), parse_int=_int_or_text)


def _int_or_text(digits: str) -> int | str:
    return int(digits) if len(digits) < 20 else digits


def _read_event(item: dict[str, Any]) -> Event:
    id, hotel_id, status = item["id"], item["hotel_id"], item["rpg_status"]
    if not (type(id) is type(hotel_id) is int and id in INT64 and hotel_id in INT64):
        raise ValueError("id and hotel_id must be integers of 64 bits")
    if type(status) is not int or status not in (1, 2):
        raise ValueError("rpg_status must be 1 or 2")
    timestamp = datetime.fromisoformat(item["timestamp"])
    if timestamp.tzinfo is not UTC:
        timestamp = (
            timestamp.replace(tzinfo=UTC) if timestamp.tzinfo is None else timestamp.astimezone(UTC)
        )
    return Event(id, hotel_id, timestamp, status, date.fromisoformat(item["night_of_stay"]))


def _reason(item: Any, error: Exception) -> str:
    if not isinstance(item, dict):
        return "not an object"
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    return str(error)[:255]
