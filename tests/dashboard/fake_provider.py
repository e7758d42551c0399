"""The data provider on the wire: what ``GET /events`` of a foreign service looks like."""

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
    """Events with the time they were recorded, answered in pages by timestamp and id.

    ``faults`` are answers to give instead, one a request, ``None`` for a good one; each is a
    function of the good answer (status, headers, body).
    """

    def __init__(self, mock, clock):
        self.clock = clock
        self.records = []
        self.page_size = 1_000
        self.knows_recorded = True
        self.faults = []
        self.asked = []
        self.order = place
        mock.add_callback(responses.GET, URL, callback=self.answer)

    def add(self, *events):
        self.records += [(self.clock.now, each) for each in events]

    @property
    def events(self):
        return [each for _, each in self.records]

    def answer(self, request):
        asked = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
        self.asked.append(asked)
        good = self.good_answer(asked)
        fault = self.faults.pop(0) if self.faults else None
        return fault(good) if fault else good

    def good_answer(self, asked):
        if "recorded__gte" in asked and not self.knows_recorded:
            return 400, {}, json.dumps({"recorded__gte": ["Unknown parameter."]})
        found = sorted(self.matching(asked), key=self.order)
        if "cursor" in asked:
            found = found[int(asked["cursor"]) :]
        size = min(self.page_size, int(asked["limit"]))
        page, rest = found[:size], found[size:]
        headers = {"Date": format_datetime(self.clock.now, usegmt=True)}
        if rest:
            query = asked | {"cursor": str(int(asked.get("cursor", 0)) + size)}
            headers["Link"] = f'<{URL}?{urlencode(query)}>; rel="next"'
        return 200, headers, json.dumps(page)

    def matching(self, asked):
        for recorded_at, each in self.records:
            at = place(each)[0]
            if (
                instant(asked.get("updated__gte", FIRST)) <= at
                and at <= instant(asked.get("updated__lte", LAST))
                and instant(asked.get("recorded__gte", FIRST)) <= recorded_at
                and asked.get("hotel_id", str(each.get("hotel_id"))) == str(each.get("hotel_id"))
            ):
                yield each


FIRST, LAST = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"


def instant(text):
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=found.tzinfo or UTC)


def place(each):
    return instant(each["timestamp"]), each.get("id", 0)


class Clock:
    """The time of a test, which passes when the test says so."""

    def __init__(self):
        self.now = datetime(2020, 6, 1, 12, tzinfo=UTC)

    def tick(self, **time):
        self.now += timedelta(**time)
        return self.now
