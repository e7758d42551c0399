import json
from datetime import UTC, date, datetime

import factory
from factory.django import DjangoModelFactory

from dashboard.models import DailyTotal, DateBasis, RejectedEvent, digest

VALID_EVENT = {
    "id": 1,
    "hotel_id": 1,
    "timestamp": "2026-01-02T03:04:05Z",
    "rpg_status": 1,
    "room_id": 1,
    "night_of_stay": "2026-02-03",
}


class DailyTotalFactory(DjangoModelFactory):
    class Meta:
        model = DailyTotal

    hotel_id = 1
    date_basis = DateBasis.STAY_DATE
    day = factory.Sequence(lambda number: date(2020, 1, 1 + number % 31))
    bookings = 3
    cancellations = 1


def rejected_event(**fields):
    """Store a valid event with these changes as rejected by an earlier release."""
    content = json.dumps(VALID_EVENT | fields, sort_keys=True)
    return RejectedEvent.objects.create(
        digest=digest(content),
        content=content,
        reason="rejected by an earlier release",
        rejected_at=datetime(2026, 1, 22, 12, tzinfo=UTC),
    )
