import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
import requests
import responses
from django.db import connections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard import bulk, services
from dashboard.models import DailyTotal, Event, Ingestion, RejectedEvent
from dashboard.provider import ProviderUnavailable
from tests.dashboard.fake_provider import Clock, FakeProvider, event, instant
from tests.deadlines import after

pytestmark = pytest.mark.django_db(databases=["dashboard"])


def plain_count(events):
    """What the totals must be, counted one by one."""
    counts = Counter()
    for each in events:
        day = str(instant(each["timestamp"]).astimezone(UTC).date())
        counts[each["hotel_id"], "timestamp", day, each["rpg_status"]] += 1
        counts[each["hotel_id"], "night_of_stay", each["night_of_stay"], each["rpg_status"]] += 1
    return counts


def totals():
    counts = Counter()
    for row in DailyTotal.objects.all():
        counts[row.hotel_id, row.reading, str(row.day), 1] = row.bookings
        counts[row.hotel_id, row.reading, str(row.day), 2] = row.cancellations
    return +counts


def state():
    return Ingestion.objects.current()


class TestIngestEvents:
    def test_counts_each_event_in_both_readings(self, provider, clock):
        provider.add(event(1), event(2, status=2, night="2020-02-01"), event(3, hotel=2))

        done = services.ingest_events(at=clock.now)

        assert (done.stored, done.rejected) == (3, 0)
        assert totals() == plain_count(provider.events)

    def test_changes_nothing_the_second_time(self, provider, clock):
        provider.add(event(1), event(2))
        services.ingest_events(at=clock.now)
        version = state().version

        done = services.ingest_events(at=clock.tick(seconds=5))

        assert done.stored == 0
        assert totals() == plain_count(provider.events)
        assert state().version == version

    def test_moves_the_watermark_to_the_last_event(self, provider, clock):
        provider.add(event(1, at="2020-01-01T00:00:00Z"), event(2, at="2020-03-01T10:00:00Z"))

        services.ingest_events(at=clock.now)

        assert state().watermark == instant("2020-03-01T10:00:00Z")

    def test_asks_on_from_the_watermark_less_the_overlap(self, provider, clock):
        provider.add(event(1, at="2020-03-01T10:00:00Z"))
        services.ingest_events(at=clock.now)
        provider.asked.clear()

        services.ingest_events(at=clock.tick(seconds=5))

        assert {"limit": "10000", "updated__gte": "2020-03-01T09:59:00Z"} in provider.asked

    def test_is_not_blinded_by_an_event_far_ahead(self, provider, clock):
        provider.add(event(1, at="2999-01-01T00:00:00Z"))
        services.ingest_events(at=clock.now)
        assert state().watermark == clock.now - timedelta(seconds=60)
        provider.knows_recorded = False
        clock.tick(seconds=5)
        provider.add(event(2, at=clock.now.isoformat()))

        services.ingest_events(at=clock.tick(seconds=5))

        assert totals() == plain_count(provider.events)

    def test_takes_events_at_both_ends_of_time(self, provider, clock):
        provider.add(
            event(1, at="0001-01-01T00:00:00Z", night="0001-01-01"),
            event(2, at="9999-12-31T23:59:59.999999Z", night="9999-12-31"),
        )

        services.ingest_events(at=clock.now)
        services.ingest_events(at=clock.tick(seconds=5))

        assert totals() == plain_count(provider.events)

    def test_has_an_event_that_comes_years_late_after_two_runs(self, provider, clock):
        provider.add(event(1, at="2020-03-01T10:00:00Z"))
        services.ingest_events(at=clock.now)
        clock.tick(hours=1)
        provider.add(event(2, at="2015-01-01T00:00:00Z"))

        services.ingest_events(at=clock.tick(seconds=5))
        services.ingest_events(at=clock.tick(seconds=5))

        assert totals() == plain_count(provider.events)

    def test_has_what_came_late_while_the_first_run_broke_off(self, provider, clock):
        provider.page_size = 1
        provider.add(*[event(id, at=f"2020-03-0{id}T00:00:00Z") for id in range(1, 9)])
        provider.faults = [None] * 7 + [lambda good: (500, {}, "")]
        with pytest.raises(ProviderUnavailable):
            services.ingest_events(at=clock.now)
        provider.add(event(99, at="2019-01-01T00:00:00Z"))
        clock.tick(hours=2)

        services.ingest_events(at=clock.now)

        assert totals() == plain_count(provider.events)

    def test_finds_late_events_by_the_provider_s_clock(self, provider, clock):
        provider.add(event(1, at="2020-03-01T10:00:00Z"))
        ours_is_ahead = timedelta(hours=3)
        services.ingest_events(at=clock.now + ours_is_ahead)
        clock.tick(minutes=30)
        provider.add(event(2, at="2015-01-01T00:00:00Z"))

        services.ingest_events(at=clock.tick(seconds=5) + ours_is_ahead)

        assert totals() == plain_count(provider.events)

    @pytest.mark.parametrize("is_silent", [True, False])
    def test_finds_late_events_of_a_provider_without_recorded(self, provider, clock, is_silent):
        provider.knows_recorded = False
        if is_silent:  # it ignores a parameter that it does not know
            provider.good_answer = lambda asked: FakeProvider.good_answer(
                provider, {name: value for name, value in asked.items() if "recorded" not in name}
            )
        provider.page_size = 2
        provider.add(*[event(id, at=f"2020-02-{id:02}T00:00:00Z") for id in range(1, 29)])
        services.ingest_events(at=clock.now)
        provider.add(event(99, at="2020-02-20T00:00:00Z"))

        for _ in range(5):
            services.ingest_events(at=clock.tick(seconds=5))

        assert totals() == plain_count(provider.events)

    def test_finds_late_events_of_a_provider_that_learned_of_recorded(self, provider, clock):
        provider.knows_recorded = False
        provider.page_size = 2
        provider.add(*[event(id, at=f"2020-02-{id:02}T00:00:00Z") for id in range(1, 29)])
        services.ingest_events(at=clock.now)
        services.ingest_events(at=clock.tick(seconds=5))
        assert state().reread_through
        provider.knows_recorded = True
        provider.add(event(99, at="2020-02-01T00:00:00Z"))

        services.ingest_events(at=clock.tick(seconds=5))

        assert totals() == plain_count(provider.events)

    def test_gets_past_an_instant_that_fills_many_pages(self, provider, clock):
        provider.knows_recorded = False
        provider.page_size = 2
        provider.add(*[event(id) for id in range(1, 31)])
        provider.add(*[event(id, at="2020-02-01T00:00:00Z") for id in range(31, 40)])
        services.ingest_events(at=clock.now)
        provider.add(event(99, at="2020-01-02T00:00:00Z"))

        for _ in range(3):
            services.ingest_events(at=clock.tick(seconds=5))

        assert totals() == plain_count(provider.events)

    @pytest.mark.parametrize("knows_recorded", [True, False])
    def test_goes_on_where_it_was_cut_short(self, provider, clock, knows_recorded):
        provider.knows_recorded = knows_recorded
        provider.page_size = 2
        provider.add(*[event(id, at=f"2020-01-{id:02}T00:00:00Z") for id in range(1, 11)])
        services.ingest_events(at=clock.now)
        provider.add(*[event(id, at=f"2020-02-{id - 10:02}T00:00:00Z") for id in range(11, 21)])
        provider.add(event(99, at="2020-01-01T00:00:00Z"))
        before = state()

        cut = services.ingest_events(at=clock.tick(seconds=5), has_time_left=after(2))

        assert cut.stored == 3  # four events in two pages, of which the overlap has one
        assert state().completed_at == before.completed_at
        assert state().recorded_through == before.recorded_through
        for _ in range(10):
            services.ingest_events(at=clock.tick(seconds=5))
        assert totals() == plain_count(provider.events)

    def test_does_not_take_a_late_event_as_read_that_it_had_no_time_for(self, provider, clock):
        provider.page_size = 1
        provider.add(event(1, at="2020-03-01T00:00:00Z"))
        services.ingest_events(at=clock.now)
        provider.add(*[event(id, at=f"2020-01-{id:02}T00:00:00Z") for id in (2, 3, 4)])

        cut = services.ingest_events(at=clock.tick(hours=1), has_time_left=after(4))
        services.ingest_events(at=clock.tick(hours=1))

        assert 0 < cut.stored < 3
        assert totals() == plain_count(provider.events)

    def test_comes_to_the_end_of_what_is_late_however_often_it_is_cut_short(self, provider, clock):
        provider.page_size = 1
        provider.add(event(1, at="2020-03-01T00:00:00Z"))
        services.ingest_events(at=clock.now)
        clock.tick(hours=1)
        provider.add(*[event(id, at=f"2020-01-{id:02}T00:00:00Z") for id in range(2, 22)])
        begun = clock.tick(hours=1)
        services.ingest_events(at=begun, has_time_left=after(5))
        provider.add(event(99, at="2020-01-01T00:00:00Z"))

        for _ in range(10):
            services.ingest_events(at=clock.tick(hours=1), has_time_left=after(6))
            if state().recorded_through == begun:
                break

        # What came meanwhile is late for the next pass.
        assert totals() == plain_count([each for each in provider.events if each["id"] != 99])
        for _ in range(2):
            services.ingest_events(at=clock.tick(hours=1), has_time_left=after(10))
        assert totals() == plain_count(provider.events)

    @pytest.mark.parametrize("write", ["insert_events", "add_to_totals"])
    def test_leaves_nothing_half_written(self, provider, clock, monkeypatch, write):
        provider.add(event(1), event(2))
        with monkeypatch.context() as patch:
            whole = getattr(bulk, write)

            def crash_after(rows):
                whole(rows)
                raise KeyboardInterrupt

            patch.setattr(bulk, write, crash_after)
            with pytest.raises(KeyboardInterrupt):
                services.ingest_events(at=clock.now)

        assert not Event.objects.exists()
        assert totals() == Counter()
        services.ingest_events(at=clock.tick(seconds=5))
        assert totals() == plain_count(provider.events)

    def test_leaves_the_work_to_the_run_that_holds_the_lease(self, provider, clock):
        provider.add(event(1))
        assert Ingestion.objects.lease(timedelta(seconds=30))

        done = services.ingest_events(at=clock.now)

        assert done.is_turned_away
        assert provider.asked == []

    def test_leaves_the_lease_to_its_run_while_a_backfill_goes_on(self, provider, clock):
        provider.add(event(1))
        assert Ingestion.objects.lease(timedelta(seconds=-1))
        before = state().leased_until

        services.backfill_events(since=None, until=None, at=clock.now)

        assert state().leased_until == before

    def test_takes_over_when_the_lease_ran_out(self, provider, clock):
        provider.add(event(1))
        assert Ingestion.objects.lease(timedelta(seconds=-1))

        assert services.ingest_events(at=clock.now).stored == 1
        assert state().leased_until is None


class TestRejectedEvents:
    @pytest.mark.parametrize(
        ("broken", "reason"),
        [
            ({"rpg_status": 3}, "rpg_status must be 1 or 2"),
            ({"rpg_status": True}, "rpg_status must be 1 or 2"),
            ({"hotel_id": "1"}, "id and hotel_id must be integers of 64 bits"),
            ({"id": 2**63}, "id and hotel_id must be integers of 64 bits"),
            ({"night_of_stay": "2020-02-30"}, "day is out of range for month"),
            ({"night_of_stay": None}, "fromisoformat: argument must be str"),
        ],
    )
    def test_are_put_aside_once_and_stop_nothing_else(self, provider, clock, broken, reason):
        provider.add(event(1), event(2) | broken, event(3))

        services.ingest_events(at=clock.now)
        services.ingest_events(at=clock.tick(seconds=5))

        assert set(Event.objects.values_list("id", flat=True)) == {1, 3}
        assert RejectedEvent.objects.get().reason == reason

    def test_may_be_anything(self, provider, clock):
        provider.faults = [None, lambda good: (200, {}, '[1, null, "\\ud800\\u0000", [], {}]')]

        done = services.ingest_events(at=clock.now)

        assert done.rejected == 5
        reasons = Counter(RejectedEvent.objects.values_list("reason", flat=True))
        assert reasons == {"not an object": 4, "id is missing": 1}

    def test_are_events_that_contradict_a_stored_one(self, provider, clock):
        provider.add(event(1))
        services.ingest_events(at=clock.now)
        provider.records = []
        provider.add(event(1, night="2020-05-05"))

        services.ingest_events(at=clock.tick(seconds=5))

        assert totals() == plain_count([event(1)])
        assert RejectedEvent.objects.get().reason == "id 1 is stored with other content"


def status(code):
    return lambda good: (code, {}, "{}")


def body(text):
    return lambda good: (200, {}, text)


def drops(good):
    raise requests.ConnectionError("reset")


def stalls(good):
    raise requests.ReadTimeout("nothing for longer than the timeout")


def half_a_body(good):
    raise requests.exceptions.ChunkedEncodingError("IncompleteRead")


def elsewhere(good):
    return 302, {"Location": "http://elsewhere.test/events"}, ""


class TestWhenTheProviderFails:
    @pytest.mark.parametrize(
        "fault",
        [
            status(500),
            status(503),
            status(429),
            status(401),
            body("<html>"),
            body('[{"id": 1'),
            body('{"detail": "no list"}'),
            body("[" * 100_000),
            drops,
            stalls,
            half_a_body,
            elsewhere,
        ],
    )
    @pytest.mark.parametrize("request_number", [0, 1, 3, 7])
    def test_the_next_run_carries_on(self, provider, clock, fault, request_number):
        provider.page_size = 1
        provider.add(*[event(id, at=f"2020-03-0{id}T00:00:00Z") for id in range(1, 8)])
        provider.faults = [None] * request_number + [fault]

        with pytest.raises(ProviderUnavailable, match=r"GET http://provider\.test/events"):
            services.ingest_events(at=clock.now)

        stored = Event.objects.order_by("-timestamp").first()
        assert state().watermark == (stored.timestamp if stored else None)
        services.ingest_events(at=clock.tick(seconds=5))
        assert totals() == plain_count(provider.events)

    def test_it_is_not_believed_when_a_page_stands_in_for_the_next(self, provider, clock):
        provider.page_size = 2
        provider.add(*[event(id) for id in range(1, 7)])
        first = provider.good_answer({"limit": "2"})
        third = provider.good_answer({"limit": "4"})[1]
        provider.faults = [None, None, lambda good: (200, third, first[2])]

        with pytest.raises(ProviderUnavailable, match="gave a page twice"):
            services.ingest_events(at=clock.now)

        services.ingest_events(at=clock.tick(seconds=5))
        assert totals() == plain_count(provider.events)

    def test_a_row_that_stands_twice_is_counted_once(self, provider, clock):
        provider.add(*[event(id) for id in range(1, 9)], event(5))

        services.ingest_events(at=clock.now)

        assert totals() == plain_count([event(id) for id in range(1, 9)])

    @pytest.mark.parametrize("seed", range(8))
    def test_disorder_costs_no_event_though_a_run_breaks_off(self, provider, clock, seed):
        provider.page_size = 2
        provider.knows_recorded = False
        events = [event(id, at=f"2020-03-{id:02}T00:00:00Z") for id in range(1, 19)]
        random.Random(seed).shuffle(events)
        provider.add(*events)
        provider.order = lambda each: events.index(each)
        provider.faults = [None] * 5 + [status(500)]
        with pytest.raises(ProviderUnavailable):
            services.ingest_events(at=clock.now)

        for _ in range(5):  # the past is read again, round and round
            services.ingest_events(at=clock.tick(seconds=5))

        assert totals() == plain_count(provider.events)
        assert state().watermark == instant("2020-03-18T00:00:00Z")

    def test_all_that_came_before_is_stored(self, provider, clock):
        provider.page_size = 1
        provider.add(*[event(id, at=f"2020-03-0{id}T00:00:00Z") for id in range(1, 8)])
        provider.faults = [None] * 6 + [status(500)]

        with pytest.raises(ProviderUnavailable):
            services.ingest_events(at=clock.now)

        assert Event.objects.count() == 5

    def test_one_broken_token_spoils_its_own_event_alone(self, provider, clock):
        good = json.dumps(event(1))
        endless = json.dumps(event(2)).replace("2,", "9" * 5_000 + ",", 1)
        broken = json.dumps(event(3, night="?")).encode().replace(b"?", b"\xff")
        page = b"[%s,%s,%s]" % (good.encode(), endless.encode(), broken)
        provider.faults = [None, lambda answer: (200, {}, page)]

        done = services.ingest_events(at=clock.now)

        assert (done.stored, done.rejected) == (1, 2)

    def test_a_link_that_is_none_is_one_line(self, provider, clock):
        link = {"Link": '<http://[::1/events?cursor=1>; rel="next"'}
        provider.faults = [None, lambda good: (200, link, "[]")]

        with pytest.raises(ProviderUnavailable, match="a next link that is none"):
            services.ingest_events(at=clock.now)

    def test_a_date_far_ahead_hides_nothing_that_comes_late(self, provider, clock):
        provider.add(event(1, at="2020-03-01T00:00:00Z"))
        ahead = {"Date": "Fri, 01 Jan 2999 00:00:00 GMT"}
        provider.faults = [lambda good: (200, good[1] | ahead, good[2])] * 2
        services.ingest_events(at=clock.now)
        clock.tick(hours=1)
        provider.add(event(2, at="2015-01-01T00:00:00Z"))

        services.ingest_events(at=clock.tick(seconds=5))

        assert totals() == plain_count(provider.events)

    def test_it_is_not_followed_in_a_circle(self, provider, clock):
        link = {"Link": '<http://provider.test/events?cursor=x>; rel="next"'}
        provider.good_answer = lambda asked: (
            200,
            link if "recorded__gte" not in asked else {},
            "[]",
        )

        with pytest.raises(ProviderUnavailable, match="the same next link twice"):
            services.ingest_events(at=clock.now)

    def test_it_is_not_followed_through_empty_pages_for_ever(self, provider, clock):
        def endless(asked):
            link = f'<http://provider.test/events?cursor={len(provider.asked)}>; rel="next"'
            return 200, {} if "recorded__gte" in asked else {"Link": link}, "[]"

        provider.good_answer = endless

        with pytest.raises(ProviderUnavailable, match="100 pages that led no further"):
            services.ingest_events(at=clock.now)

    def test_an_empty_page_with_a_next_link_loses_nothing(self, provider, clock):
        provider.page_size = 1
        provider.add(event(1), event(2))
        provider.faults = [None, None, None]
        provider.faults[1] = lambda good: (
            200,
            {"Link": '<http://provider.test/events?limit=1>; rel="next"'},
            "[]",
        )

        services.ingest_events(at=clock.now)

        assert totals() == plain_count(provider.events)

    def test_a_link_to_another_host_is_asked_of_the_provider_itself(self, provider, clock):
        provider.page_size = 1
        provider.add(event(1), event(2))
        honest = provider.good_answer

        def tempting(asked):
            code, headers, page = honest(asked)
            link = headers.get("Link", "").replace("http://provider.test", "http://evil.test")
            return code, headers | ({"Link": link} if link else {}), page

        provider.good_answer = tempting

        services.ingest_events(at=clock.now)

        assert totals() == plain_count(provider.events)

    def test_the_key_is_sent(self, provider, clock, settings):
        settings.DATA_PROVIDER_KEY = "secret"
        seen = []

        def answer(request):
            seen.append(request.headers["Authorization"])
            return provider.answer(request)

        with responses.RequestsMock() as mock:
            mock.add_callback(responses.GET, "http://provider.test/events", callback=answer)
            services.ingest_events(at=clock.now)

        assert set(seen) == {"Api-Key secret"}


class TestBackfillEvents:
    def test_copies_an_interval_and_leaves_the_watermark(self, provider, clock):
        provider.add(*[event(id, at=f"2020-03-0{id}T00:00:00Z") for id in range(1, 8)])

        done = services.backfill_events(
            since=instant("2020-03-02T00:00:00Z"),
            until=instant("2020-03-04T00:00:00Z"),
            at=clock.now,
        )

        assert done.stored == 3
        assert set(Event.objects.values_list("id", flat=True)) == {2, 3, 4}
        assert state().watermark is None


class TestCompareWithProvider:
    def test_finds_nothing_after_a_run(self, provider, clock):
        provider.add(event(1), event(2, status=2))
        services.ingest_events(at=clock.now)

        assert services.compare_with_provider() == []

    def test_names_what_is_missing_and_what_is_too_much(self, provider, clock):
        provider.add(event(1))
        services.ingest_events(at=clock.now)
        provider.records = []
        provider.add(event(2, hotel=2, night="2020-05-05"))

        found = {
            (each.hotel_id, each.reading, str(each.day), each.provider, each.dashboard)
            for each in services.compare_with_provider()
        }

        assert found == {
            (1, "night_of_stay", "2020-01-10", 0, 1),
            (1, "timestamp", "2020-01-01", 0, 1),
            (2, "night_of_stay", "2020-05-05", 1, 0),
            (2, "timestamp", "2020-01-01", 1, 0),
        }
        assert services.compare_hotel(2) == [
            each for each in services.compare_with_provider() if each.hotel_id == 2
        ]


@pytest.mark.django_db(transaction=True, databases=["dashboard"])
class TestTwoRunsAtOnce:
    def test_end_as_one_would(self, provider, clock):
        """Even where neither sees the other's lease."""
        Ingestion.objects.create(pk=1)
        provider.page_size = 3
        provider.add(*[event(id, at=f"2020-03-01T00:00:{id:02}Z") for id in range(1, 60)])
        start = Barrier(4)

        def run(_):
            start.wait()
            services._ingest(clock.now, services._ignore, services.always)
            connections.close_all()

        with ThreadPoolExecutor(4) as runs:
            list(runs.map(run, range(4)))

        assert Event.objects.count() == 59
        assert totals() == plain_count(provider.events)


events_of_any_time = st.builds(
    event,
    id=st.integers(1, 40),
    at=st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1)).map(
        lambda at: f"{at.isoformat()}Z"
    ),
    night=st.dates(datetime(2019, 12, 1).date(), datetime(2020, 2, 1).date()).map(str),
    status=st.sampled_from([1, 2]),
    hotel=st.integers(1, 3),
)


@given(
    batches=st.lists(st.lists(events_of_any_time, max_size=12), max_size=5),
    page_size=st.integers(1, 7),
    knows_recorded=st.booleans(),
    failing=st.sets(st.integers(0, 40), max_size=6),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_repetition_and_failure_end_in_a_plain_count(
    batches, page_size, knows_recorded, failing, db_is_empty
):
    db_is_empty()
    clock = Clock()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        provider = FakeProvider(mock, clock)
        provider.page_size, provider.knows_recorded = page_size, knows_recorded
        provider.faults = [status(500) if number in failing else None for number in range(41)]
        seen = set()
        for batch in batches:
            for each in batch:
                if each["id"] not in seen:
                    seen.add(each["id"])
                    provider.add(each)
            try_to_ingest(clock)
        provider.faults = []
        # Without the filter, enough rounds for what is left of a rotation and a whole one.
        for _ in range(3 if knows_recorded else 20):
            try_to_ingest(clock)

        assert totals() == plain_count(provider.events)


def try_to_ingest(clock):
    try:
        services.ingest_events(at=clock.tick(seconds=5))
    except ProviderUnavailable:
        return


@pytest.fixture
def db_is_empty():
    def empty():
        for model in (Event, DailyTotal, RejectedEvent, Ingestion):
            model.objects.all().delete()

    return empty
