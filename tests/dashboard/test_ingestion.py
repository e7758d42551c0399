from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
import responses
from django.db import connections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.http_client import RemoteServiceUnavailable
from dashboard.models import DailyTotal, Event, Ingestion, RejectedEvent
from dashboard.services.ingestion import backfill_events, ingest_events
from tests.dashboard.counting import expected_totals, stored_totals
from tests.dashboard.fake_provider import (
    Clock,
    FakeProvider,
    event,
    parse_instant,
    respond_with,
)
from tests.deadlines import after

pytestmark = pytest.mark.django_db(databases=["dashboard"])


def state():
    return Ingestion.objects.current()


class TestIngestEvents:
    def test_run_counts_each_event_by_both_dates(self, provider, clock):
        provider.add(event(1), event(2, status=2, night="2020-02-01"), event(3, hotel=2))

        result = ingest_events(at=clock.now)

        assert (result.stored, result.rejected) == (3, 0)
        assert stored_totals() == expected_totals(provider.events)

    def test_second_run_changes_nothing(self, provider, clock):
        provider.add(event(1), event(2))
        ingest_events(at=clock.now)
        version = state().version

        result = ingest_events(at=clock.tick(seconds=5))

        assert result.stored == 0
        assert stored_totals() == expected_totals(provider.events)
        assert state().version == version

    def test_run_moves_the_watermark_to_the_last_event(self, provider, clock):
        provider.add(event(1, at="2020-01-01T00:00:00Z"), event(2, at="2020-03-01T10:00:00Z"))

        ingest_events(at=clock.now)

        assert state().watermark == parse_instant("2020-03-01T10:00:00Z")

    def test_next_run_reads_from_the_watermark_minus_the_overlap(self, provider, clock):
        provider.add(event(1, at="2020-03-01T10:00:00Z"))
        ingest_events(at=clock.now)
        provider.requests.clear()

        ingest_events(at=clock.tick(seconds=5))

        assert {"limit": "10000", "updated__gte": "2020-03-01T09:59:00Z"} in provider.requests

    def test_event_in_the_far_future_does_not_hide_later_events(self, provider, clock):
        provider.add(event(1, at="2999-01-01T00:00:00Z"))
        ingest_events(at=clock.now)
        assert state().watermark == clock.now - timedelta(seconds=60)
        provider.knows_recorded = False
        clock.tick(seconds=5)
        provider.add(event(2, at=clock.now.isoformat()))

        ingest_events(at=clock.tick(seconds=5))

        assert stored_totals() == expected_totals(provider.events)

    def test_first_and_last_possible_dates_are_counted(self, provider, clock):
        provider.add(
            event(1, at="0001-01-01T00:00:00Z", night="0001-01-01"),
            event(2, at="9999-12-31T23:59:59.999999Z", night="9999-12-31"),
        )

        ingest_events(at=clock.now)
        ingest_events(at=clock.tick(seconds=5))

        assert stored_totals() == expected_totals(provider.events)

    def test_event_that_arrives_years_late_is_counted_after_two_runs(self, provider, clock):
        provider.add(event(1, at="2020-03-01T10:00:00Z"))
        ingest_events(at=clock.now)
        clock.tick(hours=1)
        provider.add(event(2, at="2015-01-01T00:00:00Z"))

        ingest_events(at=clock.tick(seconds=5))
        ingest_events(at=clock.tick(seconds=5))

        assert stored_totals() == expected_totals(provider.events)

    def test_event_that_arrives_while_the_first_run_fails_is_counted(self, provider, clock):
        provider.page_size = 1
        provider.add(*[event(id, at=f"2020-03-0{id}T00:00:00Z") for id in range(1, 9)])
        provider.faults = [None] * 7 + [lambda good: (500, {}, "")]
        with pytest.raises(RemoteServiceUnavailable):
            ingest_events(at=clock.now)
        provider.add(event(99, at="2019-01-01T00:00:00Z"))
        clock.tick(hours=2)

        ingest_events(at=clock.now)

        assert stored_totals() == expected_totals(provider.events)

    def test_late_events_are_found_by_the_clock_of_the_provider(self, provider, clock):
        provider.add(event(1, at="2020-03-01T10:00:00Z"))
        lead = timedelta(hours=3)  # of our clock
        ingest_events(at=clock.now + lead)
        clock.tick(minutes=30)
        provider.add(event(2, at="2015-01-01T00:00:00Z"))

        ingest_events(at=clock.tick(seconds=5) + lead)

        assert stored_totals() == expected_totals(provider.events)

    @pytest.mark.parametrize("ignores_parameter", [True, False])
    def test_late_events_are_found_if_the_provider_does_not_know_recorded(
        self, provider, clock, ignores_parameter
    ):
        provider.knows_recorded = False
        if ignores_parameter:
            provider.good_response = lambda parameters: FakeProvider.good_response(
                provider,
                {name: value for name, value in parameters.items() if "recorded" not in name},
            )
        provider.page_size = 2
        provider.add(*[event(id, at=f"2020-02-{id:02}T00:00:00Z") for id in range(1, 29)])
        ingest_events(at=clock.now)
        provider.add(event(99, at="2020-02-20T00:00:00Z"))

        for _ in range(5):
            ingest_events(at=clock.tick(seconds=5))

        assert stored_totals() == expected_totals(provider.events)

    def test_late_events_are_found_if_the_provider_starts_to_know_recorded(self, provider, clock):
        provider.knows_recorded = False
        provider.page_size = 2
        provider.add(*[event(id, at=f"2020-02-{id:02}T00:00:00Z") for id in range(1, 29)])
        ingest_events(at=clock.now)
        ingest_events(at=clock.tick(seconds=5))
        assert state().scan_position
        provider.knows_recorded = True
        provider.add(event(99, at="2020-02-01T00:00:00Z"))

        ingest_events(at=clock.tick(seconds=5))

        assert stored_totals() == expected_totals(provider.events)

    def test_rotation_gets_past_an_instant_that_fills_many_pages(self, provider, clock):
        provider.knows_recorded = False
        provider.page_size = 2
        provider.add(*[event(id) for id in range(1, 31)])
        provider.add(*[event(id, at="2020-02-01T00:00:00Z") for id in range(31, 40)])
        ingest_events(at=clock.now)
        provider.add(event(99, at="2020-01-02T00:00:00Z"))

        for _ in range(3):
            ingest_events(at=clock.tick(seconds=5))

        assert stored_totals() == expected_totals(provider.events)

    @pytest.mark.parametrize("knows_recorded", [True, False])
    def test_next_run_continues_where_time_ran_out(self, provider, clock, knows_recorded):
        provider.knows_recorded = knows_recorded
        provider.page_size = 2
        provider.add(*[event(id, at=f"2020-01-{id:02}T00:00:00Z") for id in range(1, 11)])
        ingest_events(at=clock.now)
        provider.add(*[event(id, at=f"2020-02-{id - 10:02}T00:00:00Z") for id in range(11, 21)])
        provider.add(event(99, at="2020-01-01T00:00:00Z"))
        before = state()

        interrupted = ingest_events(at=clock.tick(seconds=5), has_time_left=after(2))

        assert interrupted.stored == 3  # four events in two pages, of which the overlap has one
        assert state().completed_at == before.completed_at
        assert state().recorded_through == before.recorded_through
        for _ in range(10):
            ingest_events(at=clock.tick(seconds=5))
        assert stored_totals() == expected_totals(provider.events)

    def test_late_event_that_was_not_read_in_time_is_read_by_the_next_run(self, provider, clock):
        provider.page_size = 1
        provider.add(event(1, at="2020-03-01T00:00:00Z"))
        ingest_events(at=clock.now)
        provider.add(*[event(id, at=f"2020-01-{id:02}T00:00:00Z") for id in (2, 3, 4)])

        interrupted = ingest_events(at=clock.tick(hours=1), has_time_left=after(4))
        ingest_events(at=clock.tick(hours=1))

        assert 0 < interrupted.stored < 3
        assert stored_totals() == expected_totals(provider.events)

    def test_pass_over_late_events_ends_although_every_run_is_too_short(self, provider, clock):
        provider.page_size = 1
        provider.add(event(1, at="2020-03-01T00:00:00Z"))
        ingest_events(at=clock.now)
        clock.tick(hours=1)
        provider.add(*[event(id, at=f"2020-01-{id:02}T00:00:00Z") for id in range(2, 22)])
        started_at = clock.tick(hours=1)
        ingest_events(at=started_at, has_time_left=after(5))
        provider.add(event(99, at="2020-01-01T00:00:00Z"))

        for _ in range(10):
            ingest_events(at=clock.tick(hours=1), has_time_left=after(6))
            if state().recorded_through == started_at:
                break

        # Events that arrived in the meantime belong to the next pass.
        assert stored_totals() == expected_totals(
            [each for each in provider.events if each["id"] != 99]
        )
        for _ in range(2):
            ingest_events(at=clock.tick(hours=1), has_time_left=after(10))
        assert stored_totals() == expected_totals(provider.events)

    @pytest.mark.parametrize("crash", ["before the totals", "after the totals"])
    def test_crash_between_two_statements_leaves_nothing_half_written(self, provider, clock, crash):
        provider.add(event(1), event(2))

        def crash_at_totals(execute, sql, params, many, context):
            is_totals = sql.startswith("INSERT") and "dashboard_dailytotal" in sql
            if not is_totals:
                return execute(sql, params, many, context)
            if crash == "after the totals":
                execute(sql, params, many, context)
            raise KeyboardInterrupt

        with (
            connections["dashboard"].execute_wrapper(crash_at_totals),
            pytest.raises(KeyboardInterrupt),
        ):
            ingest_events(at=clock.now)

        assert not Event.objects.exists()
        assert stored_totals() == Counter()
        ingest_events(at=clock.tick(seconds=5))
        assert stored_totals() == expected_totals(provider.events)

    def test_run_does_nothing_while_another_run_has_the_lease(self, provider, clock):
        provider.add(event(1))
        assert Ingestion.objects.acquire_lease(timedelta(seconds=30))

        result = ingest_events(at=clock.now)

        assert result.already_running
        assert provider.requests == []

    def test_backfill_does_not_touch_the_lease(self, provider, clock):
        provider.add(event(1))
        assert Ingestion.objects.acquire_lease(timedelta(seconds=-1))
        before = state().leased_until

        backfill_events(since=None, until=None, at=clock.now)

        assert state().leased_until == before

    def test_run_starts_when_the_lease_of_another_has_expired(self, provider, clock):
        provider.add(event(1))
        assert Ingestion.objects.acquire_lease(timedelta(seconds=-1))

        assert ingest_events(at=clock.now).stored == 1
        assert state().leased_until is None


class TestBackfillEvents:
    def test_backfill_copies_an_interval_and_keeps_the_watermark(self, provider, clock):
        provider.add(*[event(id, at=f"2020-03-0{id}T00:00:00Z") for id in range(1, 8)])

        result = backfill_events(
            since=parse_instant("2020-03-02T00:00:00Z"),
            until=parse_instant("2020-03-04T00:00:00Z"),
            at=clock.now,
        )

        assert result.stored == 3
        assert set(Event.objects.values_list("id", flat=True)) == {2, 3, 4}
        assert state().watermark is None


@pytest.mark.django_db(transaction=True, databases=["dashboard"])
class TestConcurrentRuns:
    def test_concurrent_runs_count_each_event_once_even_without_a_lease(
        self, provider, clock, settings
    ):
        settings.INGEST_LEASE = timedelta(seconds=-1)  # expired from the start
        Ingestion.objects.create(pk=1)
        provider.page_size = 3
        provider.add(*[event(id, at=f"2020-03-01T00:00:{id:02}Z") for id in range(1, 60)])
        start = Barrier(4)

        def run(_):
            start.wait()
            result = ingest_events(at=clock.now)
            connections.close_all()
            return result

        with ThreadPoolExecutor(4) as executor:
            results = list(executor.map(run, range(4)))

        assert not any(result.already_running for result in results)
        assert Event.objects.count() == 59
        assert stored_totals() == expected_totals(provider.events)


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
@settings(
    max_examples=settings.default.max_examples // 2,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_totals_are_exact_after_any_order_repetition_and_failure(
    batches, page_size, knows_recorded, failing, db_is_empty
):
    db_is_empty()
    clock = Clock()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        provider = FakeProvider(mock, clock)
        provider.page_size, provider.knows_recorded = page_size, knows_recorded
        provider.faults = [respond_with(500) if number in failing else None for number in range(41)]
        ids = set()
        for batch in batches:
            for content in batch:
                if content["id"] not in ids:
                    ids.add(content["id"])
                    provider.add(content)
            try_to_ingest(clock)
        provider.faults = []
        # Without the filter: enough runs for the rest of a rotation and a complete one.
        for _ in range(3 if knows_recorded else 20):
            try_to_ingest(clock)

        assert stored_totals() == expected_totals(provider.events)


def try_to_ingest(clock):
    try:
        ingest_events(at=clock.tick(seconds=5))
    except RemoteServiceUnavailable:
        return


@pytest.fixture
def db_is_empty():
    def empty():
        for model in (Event, DailyTotal, RejectedEvent, Ingestion):
            model.objects.all().delete()

    return empty
