from datetime import UTC, date, datetime
from threading import Barrier, Thread

import pytest
from django.db import connections

from dataprovider.models import Event
from dataprovider.services import recording as services
from tests.dataprovider.factories import EventFactory

NOON = datetime(2020, 1, 1, 12, tzinfo=UTC)
CONTENT = {
    "hotel_id": 1,
    "timestamp": NOON,
    "rpg_status": 1,
    "room_id": "1",
    "night_of_stay": date(2020, 1, 1),
}


@pytest.mark.django_db(transaction=True, databases=["dataprovider"])
class TestRecordEvent:
    def test_by_many_at_once_stores_one(self):
        start = Barrier(12)
        seen = []

        def report():
            start.wait()
            seen.append(services.record_event(id=7, at=NOON, **CONTENT)[1])
            connections.close_all()

        run_all([Thread(target=report) for _ in range(12)])

        assert sorted(seen) == [False] * 11 + [True]
        assert Event.objects.count() == 1

    def test_without_an_id_by_many_at_the_same_instant_stores_all(self):
        start = Barrier(12)
        seen = []

        def report():
            start.wait()
            seen.append(services.record_event(at=NOON, **CONTENT)[0].id)
            connections.close_all()

        run_all([Thread(target=report) for _ in range(12)])

        assert len(set(seen)) == 12
        assert set(Event.objects.values_list("id", flat=True)) == set(seen)


@pytest.mark.django_db(databases=["dataprovider"])
class TestRecordEvents:
    def test_stores_new_ones_and_leaves_known_ones(self):
        EventFactory(id=1)
        same, new = EventFactory.build(id=1), EventFactory.build(id=2)

        recorded = services.record_events([same, new, EventFactory.build(id=2)], at=NOON)

        assert (recorded.stored, recorded.known, recorded.conflicts) == (1, 2, {})
        assert Event.objects.get(id=2).recorded_at == NOON

    def test_leaves_out_what_contradicts_and_says_where(self):
        EventFactory(id=1)
        events = [EventFactory.build(id=2), EventFactory.build(id=1, room_id="9")]

        recorded = services.record_events(events, at=NOON)

        assert recorded.stored == 1
        assert recorded.conflicts[1].conflicts == {"room_id": ("1", "9")}
        assert Event.objects.get(id=1).room_id == "1"


def run_all(threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
