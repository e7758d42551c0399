"""``/events`` as its clients meet it, over HTTP; for the simulator."""

from datetime import date, datetime
from typing import Any

import requests
from django.conf import settings

from dataprovider.models import Event

CONNECT_SECONDS, READ_SECONDS = 3.05, 10.0
MAX_EVENTS = 10_000
MAX_REASON_LENGTH = 200


class EventsUnavailable(Exception):
    """``/events`` could not be asked, or refused."""


def fetch(*, hotel_id: int, first: date, last: date) -> list[Event]:
    """The events of a hotel for the nights between these days, both included.

    :raises EventsUnavailable: also if they are more than one page holds.
    """
    parameters: dict[str, str | int] = {
        "hotel_id": hotel_id,
        "night_of_stay__gte": first.isoformat(),
        "night_of_stay__lte": last.isoformat(),
        "limit": MAX_EVENTS,
    }
    response = _request("GET", params=parameters)
    if "next" in response.links:
        raise EventsUnavailable(f"hotel {hotel_id} has over {MAX_EVENTS} events near {first}")
    try:
        return [_read(event) for event in response.json()]
    except (KeyError, TypeError, ValueError) as error:
        raise EventsUnavailable(f"GET {response.url} answered no events: {error!r}") from error


def post(event: Event) -> None:
    """Report an event.

    :raises EventsUnavailable: if it was not taken.
    """
    content = event.content() | {
        "timestamp": event.timestamp.isoformat(),
        "night_of_stay": event.night_of_stay.isoformat(),
    }
    _request("POST", json=content)


def _request(method: str, **options: Any) -> requests.Response:
    key = settings.DATA_PROVIDER_KEY
    url = f"{settings.DATA_PROVIDER_URL.rstrip('/')}/events"
    try:
        response = requests.request(
            method,
            url,
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            headers={"Authorization": f"Api-Key {key}"} if key else {},
            **options,
        )
    except requests.RequestException as error:
        reason = f"{method} {url} failed: {type(error).__name__} (DATA_PROVIDER_URL, or else PORT)"
        raise EventsUnavailable(reason) from error
    if not response.ok:
        said = f"{response.status_code} {response.text[:MAX_REASON_LENGTH]}"
        hint = " (DATA_PROVIDER_KEY)" if response.status_code in {401, 403} else ""
        raise EventsUnavailable(f"{method} {url} answered {said}{hint}")
    return response


def _read(event: dict[str, Any]) -> Event:
    return Event(
        id=event["id"],
        hotel_id=event["hotel_id"],
        timestamp=datetime.fromisoformat(event["timestamp"]),
        rpg_status=event["rpg_status"],
        room_id=str(event["room_id"]),
        night_of_stay=date.fromisoformat(event["night_of_stay"]),
    )
