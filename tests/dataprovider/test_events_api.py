import json
from datetime import UTC, date, datetime, timedelta
from itertools import chain

import pytest

from dataprovider.models import Event
from tests.dataprovider.factories import EventFactory

pytestmark = pytest.mark.django_db(databases=["dataprovider"])

BOOKING = {
    "id": 1,
    "hotel_id": 1,
    "timestamp": "2020-01-01T00:00:00Z",
    "rpg_status": 1,
    "room_id": 1,
    "night_of_stay": "2020-01-01",
}


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ids(response):
    assert response.status_code == 200, response.content
    return [event["id"] for event in json.loads(response.content)]


def all_pages(api, path):
    """Return the ids of each page, following the next links."""
    pages = []
    while path:
        response = api.get(path)
        pages.append(ids(response))
        link = response.headers.get("Link", "")
        assert link == "" or link.endswith('>; rel="next"')
        path = link.removesuffix('>; rel="next"').removeprefix("<http://testserver")
    return pages


class TestListEvents:
    def test_list_has_every_field_of_an_event(self, api):
        EventFactory(id=1)

        assert json.loads(api.get("/events").content) == [BOOKING]

    def test_list_is_ordered_by_timestamp_then_id(self, api):
        EventFactory(id=1, timestamp=utc("2020-01-02"))
        EventFactory(id=3, timestamp=utc("2020-01-01"))
        EventFactory(id=2, timestamp=utc("2020-01-01"))

        assert ids(api.get("/events")) == [2, 3, 1]

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("hotel_id=2", [2]),
            ("rpg_status=2", [3]),
            ("room_id=7", [4]),
            ("room_id=a%20b", [5]),
            ("updated__gte=2020-01-02", [2, 3, 4, 5]),
            ("updated__lte=2020-01-01", [1]),
            ("updated__gte=2020-01-02T10:00:00Z&updated__lte=2020-01-02T10:00:00Z", [2]),
            ("updated__gte=2020-01-02T12:00:00%2B02:00&updated__lte=2020-01-02", [2]),
            ("updated__gte=2020-01-02T12:00:00+02:00&updated__lte=2020-01-02", [2]),
            ("night_of_stay__gte=2020-03-01", [3, 4, 5]),
            ("night_of_stay__lte=2020-02-01", [1, 2]),
            ("night_of_stay__gte=2020-02-01&night_of_stay__lte=2020-03-01&hotel_id=1", [3, 4, 5]),
            ("recorded__gte=2020-05-01", [5]),
            ("hotel_id=3", []),
        ],
    )
    def test_list_can_be_filtered(self, api, query, expected):
        EventFactory(id=1, timestamp=utc("2020-01-01T23:59:59.999999"))
        EventFactory(
            id=2, hotel_id=2, timestamp=utc("2020-01-02T10:00"), night_of_stay=date(2020, 2, 1)
        )
        later = {"timestamp": utc("2020-01-03"), "night_of_stay": date(2020, 3, 1)}
        EventFactory(id=3, rpg_status=2, **later)
        EventFactory(id=4, room_id="7", **later)
        EventFactory(id=5, room_id="a b", recorded_at=utc("2020-05-01"), **later)

        assert ids(api.get(f"/events?{query}")) == expected

    @pytest.mark.parametrize(
        ("query", "name", "hint"),
        [
            ("hotel=1", "hotel", "Did you mean hotel_id?"),
            ("updated_gte=2020-01-01", "updated_gte", "Did you mean updated__gte?"),
            ("hotel_id=", "hotel_id", "Must not be empty"),
            ("hotel_id=1&hotel_id=1", "hotel_id", "2 times"),
            ("hotel_id=1.5", "hotel_id", "a whole number"),
            ("hotel_id=9223372036854775808", "hotel_id", "64 bits"),
            ("hotel_id=%D9%A1", "hotel_id", "a whole number"),
            ("rpg_status=3", "rpg_status", "1 (booking) or 2 (cancellation)"),
            ("updated__gte=yesterday", "updated__gte", "ISO 8601"),
            ("updated__lte=2020-02-30", "updated__lte", "ISO 8601"),
            ("updated__gte=0001-01-01T00:00:00%2B14:00", "updated__gte", "ISO 8601"),
            ("updated__gte=10000-01-01", "updated__gte", "ISO 8601"),
            ("night_of_stay__gte=2020-01-01T00:00:00Z", "night_of_stay__gte", "ISO 8601 date"),
            ("room_id=%00", "room_id", "64 characters"),
            ("limit=0", "limit", "from 1 to 10000"),
            ("limit=10001", "limit", "from 1 to 10000"),
            ("limit=ten", "limit", "from 1 to 10000"),
            ("room_id=%ff", "room_id", "Must be UTF-8"),
            ("room_id=%ED%A0%80", "room_id", "Must be UTF-8"),
            ("cursor=nonsense", "cursor", "Link header"),
            ("cursor=WzEsMl0", "cursor", "Link header"),
            ("format=xml", "format", "json or api"),
        ],
    )
    def test_invalid_filter_is_rejected_with_a_hint(self, api, query, name, hint):
        EventFactory()

        response = api.get(f"/events?{query}")

        assert response.status_code == 400
        assert hint in response.json()[name][0]

    def test_list_is_the_same_with_a_trailing_slash(self, api):
        EventFactory()

        assert api.get("/events/?hotel_id=1").content == api.get("/events?hotel_id=1").content

    @pytest.mark.parametrize("method", ["put", "patch", "delete"])
    @pytest.mark.parametrize("path", ["/events", "/events/", "/events?hotel_id=1", "/events?x=1"])
    def test_events_cannot_be_changed_or_deleted(self, api, method, path):
        assert getattr(api, method)(path, {}, format="json").status_code == 405

    def test_options_are_answered_with_a_filter(self, api):
        assert api.options("/events?hotel_id=1").status_code == 200


class TestPages:
    def test_pages_are_exact_if_all_events_share_a_timestamp(self, api):
        EventFactory.create_batch(25)

        pages = all_pages(api, "/events?limit=10")

        assert [len(page) for page in pages] == [10, 10, 5]
        assert list(chain(*pages)) == sorted(Event.objects.values_list("id", flat=True))

    @pytest.mark.parametrize("form", ["", "&format=api"])
    def test_pages_are_exact_to_the_microsecond(self, api, form):
        for microsecond in range(1, 6):
            EventFactory(timestamp=datetime(2020, 1, 1, 0, 0, 0, microsecond, tzinfo=UTC))
        path, pages = f"/events?limit=2{form}", []
        while path:
            response = api.get(path)
            content = response.context["content"] if form else response.content
            pages += [event["id"] for event in json.loads(content)]
            link = response.headers.get("Link", "")
            path = link.removesuffix('>; rel="next"').removeprefix("<http://testserver")
            assert len(pages) <= 5

        assert pages == list(Event.objects.order_by("timestamp").values_list("id", flat=True))

    def test_full_last_page_has_no_next_link(self, api):
        EventFactory.create_batch(4)

        assert [len(page) for page in all_pages(api, "/events?limit=2")] == [2, 2]

    def test_next_link_keeps_the_filters(self, api):
        EventFactory.create_batch(3, hotel_id=1)
        EventFactory.create_batch(3, hotel_id=2)

        assert list(chain(*all_pages(api, "/events?limit=2&hotel_id=2"))) == ids(
            api.get("/events?hotel_id=2")
        )

    def test_pages_miss_nothing_if_events_arrive_between_two_requests(self, api):
        start = utc("2020-01-01")
        for hour in range(4):
            EventFactory(id=10 + hour, timestamp=start + timedelta(hours=hour))
        first = api.get("/events?limit=2")
        EventFactory(id=1, timestamp=start)
        EventFactory(id=99, timestamp=start + timedelta(hours=2, minutes=1))

        link = first.headers["Link"].split(">")[0].removeprefix("<http://testserver")

        assert ids(api.get(link)) == [12, 99]

    @pytest.mark.parametrize(
        "room_id",
        ["0", "1", "00", "007", "-5", "-0", "-", "1-", "--1", "9" * 64, "1e5", 'a"b\\ é', " "],
    )
    @pytest.mark.parametrize("microsecond", [0, 1, 500_000])
    def test_database_renders_events_as_the_serializer_does(self, api, room_id, microsecond):
        EventFactory(
            room_id=room_id,
            timestamp=datetime(1, 2, 3, 4, 5, 6, microsecond, tzinfo=UTC),
            night_of_stay=date(9999, 12, 31),
        )

        rendered = api.get("/events").content.decode()

        serialized = api.get("/events?format=api").context["content"]
        assert json.loads(rendered) == json.loads(serialized)
        assert rendered == json.dumps(
            json.loads(serialized), separators=(",", ":"), ensure_ascii=False
        )


class TestPostEvent:
    def post(self, api, **content):
        return api.post("/events", BOOKING | content, format="json")

    def test_new_event_is_stored(self, api):
        response = self.post(api)

        assert (response.status_code, response.json()) == (201, BOOKING)
        assert Event.objects.get().content()["night_of_stay"] == date(2020, 1, 1)

    def test_same_event_again_is_answered_with_200(self, api):
        self.post(api)

        response = self.post(api, room_id="1", timestamp="2020-01-01T01:00:00+01:00")

        assert (response.status_code, response.json()) == (200, BOOKING)
        assert Event.objects.count() == 1

    def test_whole_numbers_are_accepted_in_any_notation(self, api):
        self.post(api)

        assert self.post(api, id="1", hotel_id=1.0, rpg_status=1.0, room_id=1.0).status_code == 200

    @pytest.mark.parametrize("room_id", ["1180591620717411303424", f"-{'9' * 63}", "007", "-0"])
    def test_response_can_be_posted_again(self, api, room_id):
        event = self.post(api, room_id=room_id).json()

        again = api.post("/events", event, format="json")

        assert (again.status_code, again.json()) == (200, event)

    def test_other_content_for_a_known_id_is_answered_with_409_and_changes_nothing(self, api):
        self.post(api)

        response = self.post(api, room_id="b", hotel_id=2)

        assert response.status_code == 409
        assert response.json()["conflicts"] == {
            "hotel_id": {"stored": 1, "sent": 2},
            "room_id": {"stored": 1, "sent": "b"},
        }
        assert Event.objects.get().hotel_id == 1

    def test_each_event_without_an_id_gets_its_own(self, api):
        content = {name: value for name, value in BOOKING.items() if name != "id"}

        ids = {api.post("/events", content, format="json").json()["id"] for _ in range(3)}

        assert len(ids) == 3
        assert min(ids) >= 1_000_000_000_000

    @pytest.mark.parametrize(
        ("content", "name"),
        [
            ({"hotel_id": None}, "hotel_id"),
            ({"hotel_id": True}, "hotel_id"),
            ({"hotel_id": 2**63}, "hotel_id"),
            ({"id": 10**30}, "id"),
            ({"id": 1.5}, "id"),
            ({"id": "1_0"}, "id"),
            ({"id": " 7 "}, "id"),
            ({"id": "１"}, "id"),
            ({"timestamp": "2020-01-01T00:00:00\0"}, "timestamp"),
            ({"timestamp": "2020-1-1T00:00:00"}, "timestamp"),
            ({"rpg_status": 3}, "rpg_status"),
            ({"rpg_status": "booked"}, "rpg_status"),
            ({"room_id": ""}, "room_id"),
            ({"room_id": "x" * 65}, "room_id"),
            ({"room_id": "a\0b"}, "room_id"),
            ({"room_id": True}, "room_id"),
            ({"room_id": 1.5}, "room_id"),
            ({"room_id": 10**64}, "room_id"),
            ({"room_id": -(10**63)}, "room_id"),
            ({"room_id": []}, "room_id"),
            ({"timestamp": "2020-01-32T00:00:00Z"}, "timestamp"),
            ({"timestamp": "0001-01-01T00:00:00+14:00"}, "timestamp"),
            ({"timestamp": 1}, "timestamp"),
            ({"night_of_stay": "2020-02-30"}, "night_of_stay"),
            ({"night_of_stay": "2020-01-01T00:00:00Z"}, "night_of_stay"),
            ({"night_of_stay": "0000-01-01"}, "night_of_stay"),
        ],
    )
    def test_invalid_content_is_rejected_by_field(self, api, content, name):
        response = self.post(api, **content)

        assert response.status_code == 400
        assert list(response.json()) == [name]
        assert not Event.objects.exists()

    @pytest.mark.parametrize(
        "missing", ["hotel_id", "timestamp", "rpg_status", "room_id", "night_of_stay"]
    )
    def test_each_field_but_the_id_is_required(self, api, missing):
        content = {name: value for name, value in BOOKING.items() if name != missing}

        assert list(api.post("/events", content, format="json").json()) == [missing]

    @pytest.mark.parametrize(
        ("body", "content_type", "status"),
        [
            (b"", "application/json", 400),
            (b"{", "application/json", 400),
            (b"[]", "application/json", 400),
            (b"null", "application/json", 400),
            (b'"x"', "application/json", 400),
            (b"\xff\xfe", "application/json", 400),
            (b'{"room_id": "\\ud800"}', "application/json", 400),
            (b'{"hotel_id": NaN}', "application/json", 400),
            (b'{"hotel_id": 1e999}', "application/json", 400),
            (b'{"hotel_id": ' + b"9" * 5000 + b"}", "application/json", 400),
            (b"[" * 60_000, "application/json", 400),
            (b'{"room_id":' * 5_000, "application/json", 400),
            (b"{}", "application/json; charset=rot13", 400),
            (b"{}", "text/plain", 415),
            (b"a=b", "application/x-www-form-urlencoded", 415),
            (b"nonsense", "multipart/form-data", 400),
            (b" " * 65_537, "application/json", 413),
            (b" " * 65_537, "multipart/form-data; boundary=x", 413),
        ],
    )
    def test_invalid_body_is_rejected(self, api, body, content_type, status):
        response = api.generic("POST", "/events", body, content_type)

        assert response.status_code == status
        assert response.json()

    def test_query_parameter_is_rejected_when_posting(self, api):
        response = api.post("/events?hotel_id=1", BOOKING, format="json")

        assert response.status_code == 400
        assert not Event.objects.exists()

    def test_form_of_the_browsable_api_is_accepted(self, api):
        content = BOOKING | {"id": "", "timestamp": "2020-01-01T00:00"}

        response = api.post("/events", content, format="multipart")

        assert response.status_code == 201
