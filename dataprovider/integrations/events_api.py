"""A client of ``/events`` over HTTP, for the simulator."""

from datetime import date
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError

from common.http_client import HttpClient, RemoteServiceUnavailable
from dataprovider.models import API_FIELDS, Event

MAX_EVENTS = 10_000


def fetch_events(*, hotel_id: int, first: date, last: date) -> list[Event]:
    """Return the events of a hotel for the nights between these days, both included.

    :raises RemoteServiceUnavailable: also if there are more events than fit in one page.
    """
    parameters: dict[str, str | int] = {
        "hotel_id": hotel_id,
        "night_of_stay__gte": first.isoformat(),
        "night_of_stay__lte": last.isoformat(),
        "limit": MAX_EVENTS,
    }
    with _client() as client:
        response = client.get("/events", parameters)
    if response.next_parameters:
        raise RemoteServiceUnavailable(
            f"hotel {hotel_id} has over {MAX_EVENTS} events near {first}"
        )
    try:
        return [_parse_event(item) for item in response.json()]
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        reason = f"{response.request} returned an invalid event: {error!r}"
        raise RemoteServiceUnavailable(reason) from error


def post_event(event: Event) -> None:
    """Report an event without its id.

    :raises RemoteServiceUnavailable: if the event was not accepted.
    """
    content = {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in event.content().items()
    }
    with _client() as client:
        client.post("/events", content)


def _client() -> HttpClient:
    return HttpClient(
        settings.DATA_PROVIDER_URL,
        api_key=settings.DATA_PROVIDER_KEY,
        url_setting="DATA_PROVIDER_URL or PORT",
        key_setting="DATA_PROVIDER_KEY",
    )


def _parse_event(item: dict[str, Any]) -> Event:
    return Event(
        **{
            field.name: field.to_python(item[field.name])
            for field in Event._meta.fields
            if field.name in API_FIELDS
        }
    )
