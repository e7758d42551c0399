from collections import Counter
from datetime import UTC, date, datetime

import pytest

from dashboard.models import Event, RejectedEvent
from dashboard.services.ingestion import ingest_events
from dashboard.services.rejected_events import RetryOutcome, retry_rejected_event
from tests.dashboard.counting import expected_totals, stored_totals
from tests.dashboard.factories import rejected_event
from tests.dashboard.fake_provider import event

pytestmark = pytest.mark.django_db(databases=["dashboard"])

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class TestRejectedEvents:
    @pytest.mark.parametrize(
        ("broken", "reason"),
        [
            ({"rpg_status": 3}, "rpg_status must be 1 (booking) or 2 (cancellation), not 3"),
            ({"rpg_status": True}, "rpg_status must be 1 (booking) or 2 (cancellation), not True"),
            ({"hotel_id": "1"}, "id and hotel_id must be integers of 64 bits"),
            ({"id": 2**63}, "id and hotel_id must be integers of 64 bits"),
            ({"night_of_stay": "2020-02-30"}, "day is out of range for month"),
            ({"night_of_stay": None}, "fromisoformat: argument must be str"),
        ],
    )
    def test_invalid_event_is_rejected_once_and_the_others_are_stored(
        self, provider, clock, broken, reason
    ):
        provider.add(event(1), event(2) | broken, event(3))

        ingest_events(at=clock.now)
        ingest_events(at=clock.tick(seconds=5))

        assert set(Event.objects.values_list("id", flat=True)) == {1, 3}
        assert RejectedEvent.objects.get().reason == reason

    def test_any_json_can_be_rejected(self, provider, clock):
        provider.faults = [None, lambda good: (200, {}, '[1, null, "\\ud800\\u0000", [], {}]')]

        result = ingest_events(at=clock.now)

        assert result.rejected == 5
        reasons = Counter(RejectedEvent.objects.values_list("reason", flat=True))
        assert reasons == {"not an object": 4, "id is missing": 1}

    def test_event_that_contradicts_the_stored_one_is_rejected(self, provider, clock):
        provider.add(event(1))
        ingest_events(at=clock.now)
        provider.records = []
        provider.add(event(1, night="2020-05-05"))

        ingest_events(at=clock.tick(seconds=5))

        assert stored_totals() == expected_totals([event(1)])
        assert RejectedEvent.objects.get().reason == "id 1 is stored with other content"


class TestRetry:
    def test_valid_event_is_stored_and_counted_once(self):
        rejected = rejected_event()

        assert retry_rejected_event(rejected, at=NOON) == RetryOutcome.STORED
        assert retry_rejected_event(rejected, at=NOON) == RetryOutcome.GONE

        assert Event.objects.get().night_of_stay == date(2026, 2, 3)
        assert stored_totals() == {
            (1, "night_of_stay", "2026-02-03", 1): 1,
            (1, "timestamp", "2026-01-02", 1): 1,
        }
        assert not RejectedEvent.objects.exists()

    def test_event_that_is_still_invalid_is_rejected_with_the_current_reason(self):
        rejected = rejected_event(rpg_status=7)

        assert retry_rejected_event(rejected, at=NOON) == RetryOutcome.REJECTED

        again = RejectedEvent.objects.get()
        assert again.reason == "rpg_status must be 1 (booking) or 2 (cancellation), not 7"
        assert (again.content, again.rejected_at) == (rejected.content, NOON)
        assert stored_totals() == Counter()

    def test_event_that_contradicts_the_stored_one_is_rejected_again(self):
        retry_rejected_event(rejected_event(), at=NOON)
        before = stored_totals()
        rejected = rejected_event(rpg_status=2)

        assert retry_rejected_event(rejected, at=NOON) == RetryOutcome.REJECTED

        assert RejectedEvent.objects.get().reason == "id 1 is stored with other content"
        assert stored_totals() == before

    def test_contradiction_that_is_already_rejected_is_not_stored_twice(self):
        retry_rejected_event(rejected_event(), at=NOON)
        retry_rejected_event(rejected_event(rpg_status=2), at=NOON)

        outcome = retry_rejected_event(rejected_event(rpg_status=2, room_id=9), at=NOON)

        assert outcome == RetryOutcome.REJECTED
        assert RejectedEvent.objects.count() == 1

    def test_event_that_is_already_stored_is_not_counted_again(self):
        retry_rejected_event(rejected_event(), at=NOON)
        before = stored_totals()

        assert retry_rejected_event(rejected_event(room_id=2), at=NOON) == RetryOutcome.KNOWN

        assert stored_totals() == before
        assert not RejectedEvent.objects.exists()
