"""A client of ``/events`` over HTTP, for the simulator."""

from datetime import date
from typing import Any

import requests
from django.conf import settings
from django.core.exceptions import ValidationError

from dataprovider.models import API_FIELDS, Event

CONNECT_SECONDS, READ_SECONDS = 3.05, 10.0
MAX_EVENTS = 10_000
MAX_EXCERPT_LENGTH = 200


class EventsUnavailable(Exception):
    """``/events`` cannot be reached, or rejected the request."""


def fetch_events(*, hotel_id: int, first: date, last: date) -> list[Event]:
    """Return the events of a hotel for the nights between these days, both included.

    :raises EventsUnavailable: also if there are more events than fit in one page.
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
        return [_parse_event(item) for item in response.json()]
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise EventsUnavailable(f"GET {response.url} returned no events: {error!r}") from error


def post_event(event: Event) -> None:
    """Report an event. Its id is not sent.

    :raises EventsUnavailable: if the event was not accepted.
    """
    content = {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in event.content().items()
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
        excerpt = f"{response.status_code} {response.text[:MAX_EXCERPT_LENGTH]}"
        hint = " (DATA_PROVIDER_KEY)" if response.status_code in {401, 403} else ""
        raise EventsUnavailable(f"{method} {url} answered {excerpt}{hint}")
    return response


def _parse_event(item: dict[str, Any]) -> Event:
    return Event(
        **{
            field.name: field.to_python(item[field.name])
            for field in Event._meta.fields
            if field.name in API_FIELDS
        }
    )
