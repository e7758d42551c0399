import random
from datetime import datetime, timedelta

from dataprovider.demo.hotel import (
    CANCELLED_SHARE,
    MAX_NIGHTS,
    draw_request,
    find_room,
    occupied,
    pick_stay,
)
from dataprovider.integrations.events_api import fetch_events, post_event
from dataprovider.models import Event, EventStatus


def simulate_guest(*, hotel_id: int, at: datetime, rng: random.Random) -> int:
    """Let one guest book a stay over HTTP, and sometimes let another guest cancel one.

    Return how many events were reported.

    :raises RemoteServiceUnavailable: if ``/events`` fails. Events reported before that are kept.
    """
    request = draw_request(rng, at.date())
    if request is None:
        return 0
    # Only stays near the requested nights matter.
    first = request.arrival - timedelta(days=MAX_NIGHTS)
    last = request.arrival + timedelta(days=2 * MAX_NIGHTS)
    occupancy = occupied(fetch_events(hotel_id=hotel_id, first=first, last=last))
    events: list[Event] = []
    stay = find_room(rng, request, hotel_id=hotel_id, occupancy=occupancy, at=at)
    if stay:
        events += stay.events(EventStatus.BOOKING, at)
    if rng.random() < CANCELLED_SHARE:
        cancelled = pick_stay(
            rng,
            hotel_id=hotel_id,
            occupancy=occupancy,
            first=max(request.arrival, at.date()),
            last=last,
        )
        events += cancelled.events(EventStatus.CANCELLATION, at) if cancelled else []
    for event in events:
        post_event(event)
    return len(events)
