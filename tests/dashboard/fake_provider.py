"""A fake data provider: ``GET /events`` as another service would answer it."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qs, urlencode, urlsplit

import responses

URL = "http://provider.test/events"


def event(id, *, at="2020-01-01T00:00:00Z", night="2020-01-10", status=1, hotel=1, room=1):
    return {
        "id": id,
        "hotel_id": hotel,
        "timestamp": at,
        "rpg_status": status,
        "room_id": room,
        "night_of_stay": night,
    }


class FakeProvider:
    """Events with the time of their recording, in pages by timestamp and id.

    ``faults`` has one entry per request: None for the good response (status, headers, body), or a
    function from it to the response to give instead.
    """

    def __init__(self, mock, clock):
        self.clock = clock
        self.records = []
        self.page_size = 1_000
        self.knows_recorded = True
        self.faults = []
        self.requests = []  # the parameters of each
        self.order = timestamp_and_id
        mock.add_callback(responses.GET, URL, callback=self.respond)

    def add(self, *events):
        self.records += [(self.clock.now, event) for event in events]

    @property
    def events(self):
        return [event for _, event in self.records]

    def respond(self, request):
        parameters = parse_parameters(request.url)
        self.requests.append(parameters)
        good = self.good_response(parameters)
        fault = self.faults.pop(0) if self.faults else None
        return fault(good) if fault else good

    def good_response(self, parameters):
        if "recorded__gte" in parameters and not self.knows_recorded:
            return 400, {}, json.dumps({"recorded__gte": ["Unknown parameter."]})
        events = sorted(self.matching(parameters), key=self.order)
        if "cursor" in parameters:
            events = events[int(parameters["cursor"]) :]
        size = min(self.page_size, int(parameters["limit"]))
        page, rest = events[:size], events[size:]
        headers = {"Date": format_datetime(self.clock.now, usegmt=True)}
        if rest:
            query = parameters | {"cursor": str(int(parameters.get("cursor", 0)) + size)}
            headers["Link"] = f'<{URL}?{urlencode(query)}>; rel="next"'
        return 200, headers, json.dumps(page)

    def matching(self, parameters):
        first = parse_instant(parameters.get("updated__gte", FIRST))
        last = parse_instant(parameters.get("updated__lte", LAST))
        recorded_since = parse_instant(parameters.get("recorded__gte", FIRST))
        for recorded_at, event in self.records:
            hotel_id = str(event.get("hotel_id"))
            timestamp, _ = timestamp_and_id(event)
            if (
                first <= timestamp <= last
                and recorded_since <= recorded_at
                and parameters.get("hotel_id", hotel_id) == hotel_id
            ):
                yield event


FIRST, LAST = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"


def respond_with(status, body="{}"):
    """Return a fault with this response."""
    return lambda good: (status, {}, body)


def parse_parameters(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def parse_instant(text):
    instant = datetime.fromisoformat(text)
    return instant.replace(tzinfo=instant.tzinfo or UTC)


def timestamp_and_id(event):
    return parse_instant(event["timestamp"]), event.get("id", 0)


class Clock:
    """The clock of a test. Only the test moves it."""

    def __init__(self):
        self.now = datetime(2020, 6, 1, 12, tzinfo=UTC)

    def tick(self, **time):
        self.now += timedelta(**time)
        return self.now
