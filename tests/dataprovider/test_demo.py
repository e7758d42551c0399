import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
import responses
from django.core.management import CommandError, call_command

from common.http_client import RemoteServiceUnavailable
from dataprovider.demo.hotel import DEMO_HOTELS, draw_request, generate_history
from dataprovider.demo.simulator import simulate_guest
from dataprovider.models import Event, EventStatus
from tests.dataprovider.factories import EventFactory

NOON = datetime(2020, 6, 1, 12, tzinfo=UTC)
# A seed whose first guest makes a request.
SEED_WITH_REQUEST = next(
    seed for seed in range(99) if draw_request(random.Random(seed), NOON.date())
)


@pytest.fixture(scope="module")
def history():
    return generate_history(random.Random(7), hotel_id=1, days=365, until=NOON)


class TestHistory:
    def test_history_never_books_an_occupied_room(self, history):
        occupied = set()
        for event in history:
            room_night = (event.room_id, event.night_of_stay)
            if event.rpg_status == EventStatus.BOOKING:
                assert room_night not in occupied
                occupied.add(room_night)
            else:
                occupied.remove(room_night)

    def test_history_is_in_the_past_and_in_order_of_time(self, history):
        instants = [event.timestamp for event in history]

        assert instants == sorted(instants)
        assert NOON - timedelta(days=366) < instants[0] < instants[-1] <= NOON

    def test_history_has_bookings_up_to_arrival_and_cancellations_before_it(self, history):
        for event in history:
            days_ahead = (event.night_of_stay - event.timestamp.date()).days
            assert days_ahead >= (0 if event.rpg_status == EventStatus.BOOKING else 1)

    def test_history_has_more_nights_in_august_than_in_january(self, history):
        months = Counter(event.night_of_stay.month for event in history if event.rpg_status == 1)

        assert months[8] > 1.5 * months[1]

    def test_same_seed_generates_the_same_history(self, history):
        again = generate_history(random.Random(7), hotel_id=1, days=365, until=NOON)

        assert [event.content() for event in again] == [event.content() for event in history]


@pytest.mark.django_db(databases=["dataprovider"])
class TestSimulateEvents:
    @pytest.fixture
    def wire(self, api):
        """Pass HTTP requests on to the API of this project."""

        def forward(request):
            path = request.url.removeprefix("http://provider.test")
            response = api.generic(
                request.method, path, request.body or b"", request.headers.get("Content-Type", "")
            )
            return response.status_code, dict(response.headers), response.content

        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            for method in (responses.GET, responses.POST):
                mock.add_callback(method, "http://provider.test/events", callback=forward)
            yield mock

    def test_simulated_guests_book_free_rooms_and_cancel_only_existing_bookings(self, wire):
        rng = random.Random(3)

        reported = sum(
            simulate_guest(hotel_id=1, at=NOON + timedelta(minutes=n), rng=rng) for n in range(120)
        )

        events = list(Event.objects.order_by("timestamp", "id"))
        assert len(events) == reported > 100
        bookings = Counter()
        for event in events:
            bookings[event.room_id, event.night_of_stay] += 1 if event.rpg_status == 1 else -1
        assert set(bookings.values()) <= {0, 1}
        assert 0 in bookings.values()

    def test_simulated_guest_reports_nothing_if_the_api_is_unavailable(self, wire):
        wire.reset()
        wire.add(responses.GET, "http://provider.test/events", status=503, body="later")

        rng = random.Random(SEED_WITH_REQUEST)

        with pytest.raises(
            RemoteServiceUnavailable, match=r"GET http://provider\.test/events answered 503 later"
        ):
            simulate_guest(hotel_id=1, at=NOON, rng=rng)

        assert not Event.objects.exists()

    def test_command_simulates_guests_and_prints_how_many_events_they_reported(self, wire, capsys):
        call_command("simulate_events", guests=5, seed=3)

        assert f"Reported {Event.objects.count()} events of hotel 1" in capsys.readouterr().out

    def test_command_fails_with_the_status_of_the_unavailable_api(self, wire):
        wire.reset()
        wire.add(responses.GET, "http://provider.test/events", status=503, body="later")

        with pytest.raises(CommandError, match="503"):
            call_command("simulate_events", guests=20, seed=3)


@pytest.mark.django_db(databases=["dataprovider"])
class TestSeedEvents:
    def test_seed_fills_each_demo_hotel_once(self):
        call_command("seed_events", days=60)
        count = Event.objects.count()
        assert set(Event.objects.values_list("hotel_id", flat=True)) == set(DEMO_HOTELS)

        call_command("seed_events", days=60)

        assert Event.objects.count() == count

    def test_seed_skips_a_hotel_with_events(self):
        EventFactory(hotel_id=1, night_of_stay=date(2020, 1, 1))

        call_command("seed_events", days=60)

        assert Event.objects.filter(hotel_id=1).count() == 1
