import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
import responses
from django.core.management import CommandError, call_command

from dataprovider.demo import hotel
from dataprovider.integrations.events_api import EventsUnavailable
from dataprovider.models import Event, Status
from dataprovider.services import recording as services
from tests.dataprovider.factories import EventFactory

NOON = datetime(2020, 6, 1, 12, tzinfo=UTC)
# A seed whose first guest wants to come.
WILLING = next(seed for seed in range(99) if hotel.wish(random.Random(seed), NOON.date()))


@pytest.fixture(scope="module")
def year():
    return hotel.past(random.Random(7), hotel_id=1, days=365, until=NOON)


class TestAYear:
    def test_gives_no_room_away_twice(self, year):
        taken = set()
        for event in year:
            place = (event.room_id, event.night_of_stay)
            if event.rpg_status == Status.BOOKING:
                assert place not in taken
                taken.add(place)
            else:
                taken.remove(place)

    def test_lies_in_the_past_and_is_in_order(self, year):
        instants = [event.timestamp for event in year]

        assert instants == sorted(instants)
        assert NOON - timedelta(days=366) < instants[0] < instants[-1] <= NOON

    def test_books_ahead_and_cancels_before_arrival(self, year):
        for event in year:
            days_ahead = (event.night_of_stay - event.timestamp.date()).days
            assert days_ahead >= (0 if event.rpg_status == Status.BOOKING else 1)

    def test_has_its_season(self, year):
        months = Counter(event.night_of_stay.month for event in year if event.rpg_status == 1)

        assert months[8] > 1.5 * months[1]

    def test_is_the_same_with_the_same_seed(self, year):
        again = hotel.past(random.Random(7), hotel_id=1, days=365, until=NOON)

        assert [event.content() for event in again] == [event.content() for event in year]


@pytest.mark.django_db(databases=["dataprovider"])
class TestSimulateEvents:
    """Over HTTP: the calls on the wire reach the project's own API."""

    @pytest.fixture
    def wire(self, api):
        def reach(request):
            path = request.url.removeprefix("http://provider.test")
            answer = api.generic(
                request.method, path, request.body or b"", request.headers.get("Content-Type", "")
            )
            return answer.status_code, dict(answer.headers), answer.content

        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            for method in (responses.GET, responses.POST):
                mock.add_callback(method, "http://provider.test/events", callback=reach)
            yield mock

    def test_books_stays_of_several_nights_and_cancels_only_standing_ones(self, wire):
        chance = random.Random(3)

        reported = sum(
            services.simulate_events(hotel_id=1, at=NOON + timedelta(minutes=n), chance=chance)
            for n in range(120)
        )

        events = list(Event.objects.order_by("timestamp", "id"))
        assert len(events) == reported > 100
        taken = Counter()
        for event in events:
            taken[event.room_id, event.night_of_stay] += 1 if event.rpg_status == 1 else -1
        assert set(taken.values()) <= {0, 1}
        assert 0 in taken.values()

    def test_reports_nothing_when_the_api_is_away(self, wire):
        wire.reset()
        wire.add(responses.GET, "http://provider.test/events", status=503, body="later")

        chance = random.Random(WILLING)

        with pytest.raises(
            EventsUnavailable, match=r"GET http://provider\.test/events answered 503 later"
        ):
            services.simulate_events(hotel_id=1, at=NOON, chance=chance)

        assert not Event.objects.exists()

    def test_is_a_command(self, wire, capsys):
        call_command("simulate_events", guests=5, seed=3)

        assert f"Reported {Event.objects.count()} events of hotel 1" in capsys.readouterr().out

    def test_says_what_is_away(self, wire):
        wire.reset()
        wire.add(responses.GET, "http://provider.test/events", status=503, body="later")

        with pytest.raises(CommandError, match="503"):
            call_command("simulate_events", guests=20, seed=3)


@pytest.mark.django_db(databases=["dataprovider"])
class TestSeedEvents:
    def test_fills_each_demo_hotel_once(self):
        call_command("seed_events", days=60)
        count = Event.objects.count()
        assert set(Event.objects.values_list("hotel_id", flat=True)) == set(hotel.DEMO_HOTELS)

        call_command("seed_events", days=60)

        assert Event.objects.count() == count

    def test_leaves_a_hotel_with_events_alone(self):
        EventFactory(hotel_id=1, night_of_stay=date(2020, 1, 1))

        call_command("seed_events", days=60)

        assert Event.objects.filter(hotel_id=1).count() == 1
