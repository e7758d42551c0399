import pytest

from dashboard.services.ingestion import ingest_events
from dashboard.services.verification import compare_with_provider
from tests.dashboard.fake_provider import event

pytestmark = pytest.mark.django_db(databases=["dashboard"])


class TestCompareWithProvider:
    def test_there_is_no_difference_after_a_run(self, provider, clock):
        provider.add(event(1), event(2, status=2))
        ingest_events(at=clock.now)

        assert compare_with_provider() == []

    def test_missing_and_surplus_events_are_differences(self, provider, clock):
        provider.add(event(1))
        ingest_events(at=clock.now)
        provider.records = []
        provider.add(event(2, hotel=2, night="2020-05-05"))

        differences = {
            (each.hotel_id, each.date_basis, str(each.day), each.provider, each.dashboard)
            for each in compare_with_provider()
        }

        assert differences == {
            (1, "night_of_stay", "2020-01-10", 0, 1),
            (1, "timestamp", "2020-01-01", 0, 1),
            (2, "night_of_stay", "2020-05-05", 1, 0),
            (2, "timestamp", "2020-01-01", 1, 0),
        }
        assert compare_with_provider(hotel_id=2) == [
            each for each in compare_with_provider() if each.hotel_id == 2
        ]
