from datetime import UTC, date, datetime

import factory
from factory.django import DjangoModelFactory

from dataprovider.models import Event, EventStatus


class EventFactory(DjangoModelFactory):
    class Meta:
        model = Event

    id = factory.Sequence(lambda number: number + 1)
    hotel_id = 1
    timestamp = datetime(2020, 1, 1, tzinfo=UTC)
    rpg_status = EventStatus.BOOKING
    room_id = "1"
    night_of_stay = date(2020, 1, 1)
    recorded_at = datetime(2020, 1, 2, tzinfo=UTC)
