from datetime import UTC, date, datetime
from threading import Barrier, Thread

import pytest
from django.db import connections

from dataprovider.models import Event
from dataprovider.services.recording import record_event, record_events
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
    def test_concurrent_reports_of_one_id_store_one_event(self):
        start = Barrier(12)
        results = []

        def report():
            start.wait()
            results.append(record_event(id=7, at=NOON, **CONTENT)[1])
            connections.close_all()

        run_all([Thread(target=report) for _ in range(12)])

        assert sorted(results) == [False] * 11 + [True]
        assert Event.objects.count() == 1

    def test_concurrent_reports_without_an_id_get_different_ids(self):
        start = Barrier(12)
        ids = []

        def report():
            start.wait()
            ids.append(record_event(at=NOON, **CONTENT)[0].id)
            connections.close_all()

        run_all([Thread(target=report) for _ in range(12)])

        assert len(set(ids)) == 12
        assert set(Event.objects.values_list("id", flat=True)) == set(ids)


@pytest.mark.django_db(databases=["dataprovider"])
class TestRecordEvents:
    def test_batch_stores_new_events_and_skips_known_ones(self):
        EventFactory(id=1)
        same, new = EventFactory.build(id=1), EventFactory.build(id=2)

        result = record_events([same, new, EventFactory.build(id=2)], at=NOON)

        assert (result.stored, result.known, result.conflicts) == (1, 2, {})
        assert Event.objects.get(id=2).recorded_at == NOON

    def test_batch_skips_a_conflicting_event_and_returns_its_index(self):
        EventFactory(id=1)
        events = [EventFactory.build(id=2), EventFactory.build(id=1, room_id="9")]

        result = record_events(events, at=NOON)

        assert result.stored == 1
        assert result.conflicts[1].conflicts == {"room_id": ("1", "9")}
        assert Event.objects.get(id=1).room_id == "1"


def run_all(threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
