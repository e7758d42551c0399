import json
import random

import pytest
import requests
import responses

from common.http_client import RemoteServiceUnavailable
from dashboard.models import Event, Ingestion
from dashboard.services.ingestion import ingest_events
from tests.dashboard.counting import expected_totals, stored_totals
from tests.dashboard.fake_provider import event, parse_instant, respond_with

pytestmark = [pytest.mark.django_db(databases=["dashboard"]), pytest.mark.engine_independent]


def state():
    return Ingestion.objects.current()


def drop_connection(good):
    raise requests.ConnectionError("reset")


def time_out(good):
    raise requests.ReadTimeout("no data within the timeout")


def cut_off_body(good):
    raise requests.exceptions.ChunkedEncodingError("IncompleteRead")


def redirect(good):
    return 302, {"Location": "http://elsewhere.test/events"}, ""


class TestProviderFailures:
    @pytest.mark.parametrize(
        "fault",
        [
            respond_with(500),
            respond_with(503),
            respond_with(429),
            respond_with(401),
            respond_with(200, body="<html>"),
            respond_with(200, body='[{"id": 1'),
            respond_with(200, body='{"detail": "no list"}'),
            respond_with(200, body="[" * 100_000),
            drop_connection,
            time_out,
            cut_off_body,
            redirect,
        ],
    )
    @pytest.mark.parametrize("request_number", [0, 1, 3, 7])
    def test_failed_run_keeps_its_pages_and_the_next_run_continues(
        self, provider, clock, fault, request_number
    ):
        provider.page_size = 1
        provider.add(*[event(id, at=f"2020-03-0{id}T00:00:00Z") for id in range(1, 8)])
        provider.faults = [None] * request_number + [fault]

        with pytest.raises(RemoteServiceUnavailable, match=r"GET http://provider\.test/events"):
            ingest_events(at=clock.now)

        stored = Event.objects.order_by("-timestamp").first()
        assert state().watermark == (stored.timestamp if stored else None)
        ingest_events(at=clock.tick(seconds=5))
        assert stored_totals() == expected_totals(provider.events)

    def test_page_that_repeats_the_previous_one_fails_the_run(self, provider, clock):
        provider.page_size = 2
        provider.add(*[event(id) for id in range(1, 7)])
        first = provider.good_response({"limit": "2"})
        third = provider.good_response({"limit": "4"})[1]
        provider.faults = [None, None, lambda good: (200, third, first[2])]

        with pytest.raises(RemoteServiceUnavailable, match="returned a page twice"):
            ingest_events(at=clock.now)

        ingest_events(at=clock.tick(seconds=5))
        assert stored_totals() == expected_totals(provider.events)

    def test_event_that_is_listed_twice_is_counted_once(self, provider, clock):
        provider.add(*[event(id) for id in range(1, 9)], event(5))

        ingest_events(at=clock.now)

        assert stored_totals() == expected_totals([event(id) for id in range(1, 9)])

    @pytest.mark.parametrize("seed", range(8))
    def test_pages_out_of_order_lose_no_event_although_a_run_fails(self, provider, clock, seed):
        provider.page_size = 2
        provider.knows_recorded = False
        events = [event(id, at=f"2020-03-{id:02}T00:00:00Z") for id in range(1, 19)]
        random.Random(seed).shuffle(events)
        provider.add(*events)
        provider.order = lambda each: events.index(each)
        provider.faults = [None] * 5 + [respond_with(500)]
        with pytest.raises(RemoteServiceUnavailable):
            ingest_events(at=clock.now)

        for _ in range(5):  # the rotation reads the past again
            ingest_events(at=clock.tick(seconds=5))

        assert stored_totals() == expected_totals(provider.events)
        assert state().watermark == parse_instant("2020-03-18T00:00:00Z")

    def test_pages_before_a_failure_are_stored(self, provider, clock):
        provider.page_size = 1
        provider.add(*[event(id, at=f"2020-03-0{id}T00:00:00Z") for id in range(1, 8)])
        provider.faults = [None] * 6 + [respond_with(500)]

        with pytest.raises(RemoteServiceUnavailable):
            ingest_events(at=clock.now)

        assert Event.objects.count() == 5

    def test_broken_token_rejects_only_its_own_event(self, provider, clock):
        good = json.dumps(event(1))
        endless = json.dumps(event(2)).replace("2,", "9" * 5_000 + ",", 1)
        broken = json.dumps(event(3, night="?")).encode().replace(b"?", b"\xff")
        page = b"[%s,%s,%s]" % (good.encode(), endless.encode(), broken)
        provider.faults = [None, lambda good: (200, {}, page)]

        result = ingest_events(at=clock.now)

        assert (result.stored, result.rejected) == (1, 2)

    def test_next_link_that_is_not_a_url_fails_the_run(self, provider, clock):
        link = {"Link": '<http://[::1/events?cursor=1>; rel="next"'}
        provider.faults = [None, lambda good: (200, link, "[]")]

        with pytest.raises(RemoteServiceUnavailable, match="an invalid next link"):
            ingest_events(at=clock.now)

    def test_provider_clock_in_the_far_future_hides_no_late_event(self, provider, clock):
        provider.add(event(1, at="2020-03-01T00:00:00Z"))
        ahead = {"Date": "Fri, 01 Jan 2999 00:00:00 GMT"}
        provider.faults = [lambda good: (200, good[1] | ahead, good[2])] * 2
        ingest_events(at=clock.now)
        clock.tick(hours=1)
        provider.add(event(2, at="2015-01-01T00:00:00Z"))

        ingest_events(at=clock.tick(seconds=5))

        assert stored_totals() == expected_totals(provider.events)

    def test_next_links_in_a_circle_fail_the_run(self, provider, clock):
        link = {"Link": '<http://provider.test/events?cursor=x>; rel="next"'}
        provider.good_response = lambda parameters: (
            200,
            link if "recorded__gte" not in parameters else {},
            "[]",
        )

        with pytest.raises(RemoteServiceUnavailable, match="the same next link twice"):
            ingest_events(at=clock.now)

    def test_endless_empty_pages_fail_the_run(self, provider, clock):
        def endless(parameters):
            link = f'<http://provider.test/events?cursor={len(provider.requests)}>; rel="next"'
            return 200, {} if "recorded__gte" in parameters else {"Link": link}, "[]"

        provider.good_response = endless

        with pytest.raises(RemoteServiceUnavailable, match="100 pages without a later event"):
            ingest_events(at=clock.now)

    def test_empty_page_with_a_next_link_loses_no_event(self, provider, clock):
        provider.page_size = 1
        provider.add(event(1), event(2))
        provider.faults = [None, None, None]
        provider.faults[1] = lambda good: (
            200,
            {"Link": '<http://provider.test/events?limit=1>; rel="next"'},
            "[]",
        )

        ingest_events(at=clock.now)

        assert stored_totals() == expected_totals(provider.events)

    def test_next_link_to_another_host_is_followed_at_the_configured_provider(
        self, provider, clock
    ):
        provider.page_size = 1
        provider.add(event(1), event(2))
        good_response = provider.good_response

        def redirecting(parameters):
            code, headers, page = good_response(parameters)
            link = headers.get("Link", "").replace("http://provider.test", "http://evil.test")
            return code, headers | ({"Link": link} if link else {}), page

        provider.good_response = redirecting

        ingest_events(at=clock.now)

        assert stored_totals() == expected_totals(provider.events)

    def test_requests_carry_the_api_key(self, provider, clock, settings):
        settings.DATA_PROVIDER_KEY = "secret"
        keys = []

        def respond(request):
            keys.append(request.headers["Authorization"])
            return provider.respond(request)

        with responses.RequestsMock() as mock:
            mock.add_callback(responses.GET, "http://provider.test/events", callback=respond)
            ingest_events(at=clock.now)

        assert set(keys) == {"Api-Key secret"}
