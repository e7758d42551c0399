import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from common.api.errors import RETRY_AFTER_SECONDS, UNAVAILABLE_DETAIL
from stats.models import DailyTotal, Message
from tests.stats.factories import message_json

pytestmark = pytest.mark.django_db(transaction=True)

UNKNOWN = "a596b362-08be-419f-8070-9c3055566e7c"
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def walk(http, path, **parameters):
    """Return the rows of all pages, and the number of pages."""
    rows, pages = [], 0
    answer = http.get(path, **parameters)
    while True:
        assert answer.status_code == 200, answer.text
        rows += answer.json
        pages += 1
        assert pages < 1_000, "the pages form a cycle"
        link = answer.headers.get("Link")
        if not link:
            return rows, pages
        answer = http.client.get(link.split(">")[0][1:], headers=http.headers)


class TestPostMessages:
    def test_new_message_gets_201_and_the_stored_message(self, route, time_machine):
        time_machine.move_to(NOW, tick=False)
        message = message_json()

        answer = route.post("/messages", message)

        assert answer.status_code == 201
        assert answer.json == message | {"timestamp": "2026-01-31T12:00:00Z"}
        assert answer.content_type == "application/json"

    def test_recorded_message_is_in_the_next_stats(self, route):
        route.post("/messages", message_json())
        route.post("/messages", message_json())

        assert route.get("/stats").json == [
            {"customerId": 1, "type": "A", "count": 2, "totalAmount": "0.024"}
        ]

    def test_repeated_message_gets_200_and_is_counted_once(self, route):
        message = message_json()
        first = route.post("/messages", message)

        again = route.post("/messages/", message)

        assert again.status_code == 200
        assert again.json == first.json
        assert route.get("/stats").json[0]["count"] == 1

    def test_conflicting_message_gets_409_with_the_fields_that_differ(self, route):
        message = message_json()
        route.post("/messages", message)

        answer = route.post("/messages", message | {"amount": "0.013", "customerId": 2})

        assert answer.status_code == 409
        assert answer.json == {
            "detail": f"A message with the uuid {message['uuid']} is stored with other content.",
            "conflicts": {
                "customerId": {"stored": 1, "sent": 2},
                "amount": {"stored": "0.012", "sent": "0.013"},
            },
        }
        assert route.get("/stats").json[0]["totalAmount"] == "0.012"

    @pytest.mark.parametrize(
        "form",
        [
            "A596B362-08BE-419F-8070-9C3055566E7C",
            "a596b36208be419f80709c3055566e7c",
            "{a596b362-08be-419f-8070-9c3055566e7c}",
            "urn:uuid:a596b362-08be-419f-8070-9c3055566e7c",
        ],
    )
    def test_all_textual_forms_of_a_uuid_are_the_same_uuid(self, route, form):
        canonical = "a596b362-08be-419f-8070-9c3055566e7c"

        assert route.post("/messages", message_json(uuid=form)).json["uuid"] == canonical
        assert route.post("/messages", message_json(uuid=canonical)).status_code == 200

    def test_message_counts_on_the_utc_day_of_its_timestamp(self, route):
        answer = route.post("/messages", message_json(timestamp="2020-01-01T23:30:00-01:00"))

        assert answer.json["timestamp"] == "2020-01-02T00:30:00Z"
        assert str(DailyTotal.objects.get().day) == "2020-01-02"

    def test_timestamp_of_a_repeat_is_compared_only_if_sent(self, route):
        message = message_json(timestamp="2020-01-01T12:00:00Z")
        route.post("/messages", message)

        without = route.post("/messages", {k: v for k, v in message.items() if k != "timestamp"})
        other = route.post("/messages", message | {"timestamp": "2020-01-01T12:00:01"})

        assert without.status_code == 200
        assert other.json["conflicts"] == {
            "timestamp": {"stored": "2020-01-01T12:00:00Z", "sent": "2020-01-01T12:00:01Z"}
        }

    def test_timestamp_may_be_at_most_5_minutes_ahead(self, route, time_machine):
        time_machine.move_to(NOW, tick=False)
        ahead = NOW + timedelta(minutes=5)

        assert route.post("/messages", message_json(timestamp=ahead.isoformat())).status_code == 201
        late = route.post(
            "/messages", message_json(timestamp=(ahead + timedelta(seconds=1)).isoformat())
        )
        assert late.status_code == 400
        assert "5 minutes in the future" in late.json["timestamp"][0]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("customerId", "1"),
            ("customerId", True),
            ("customerId", 1.5),
            ("customerId", None),
            ("customerId", 2**63),
            ("customerId", -(2**63) - 1),
            ("customerId", [1]),
            ("type", 1),
            ("type", None),
            ("type", "x" * 256),
            ("type", "a\0b"),
            ("type", []),
            ("amount", 0.012),
            ("amount", "0.01"),
            ("amount", "0.0123"),
            ("amount", "-0.012"),
            ("amount", "+0.012"),
            ("amount", "1234567890.123"),
            ("amount", ".012"),
            ("amount", "0,012"),
            ("amount", "0.012\n"),
            ("amount", "٠.٠١٢"),
            ("amount", "1e3.000"),
            ("uuid", ""),
            ("uuid", 1),
            ("uuid", "a596b362"),
            ("uuid", "a596b362_08be_419f_8070_9c3055566e7c"),
            ("uuid", "{a596b362-08be-419f-8070-9c3055566e7c"),
            ("uuid", "a596b362-08be-419f-8070-9c3055566e7c\n"),
            ("uuid", "١596b362-08be-419f-8070-9c3055566e7c"),
            ("timestamp", None),
            ("timestamp", 1),
            ("timestamp", ""),
            ("timestamp", "yesterday"),
            ("timestamp", "2020-02-30T00:00:00Z"),
            ("timestamp", "0000-01-01T00:00:00Z"),
            ("timestamp", "0001-01-01T00:00:00+01:00"),
            ("timestamp", "9999-12-31T23:59:59-01:00"),
            ("timestamp", "10000-01-01T00:00:00Z"),
        ],
    )
    def test_invalid_field_gets_400_that_says_what_is_allowed(self, route, field, value):
        answer = route.post("/messages", message_json(**{field: value}))

        assert answer.status_code == 400
        assert list(answer.json) == [field]
        assert answer.json[field][0].startswith("Must be ")
        assert not Message.objects.exists()

    @pytest.mark.parametrize("field", ["customerId", "type", "amount", "uuid"])
    def test_missing_field_gets_400_that_names_it(self, route, field):
        message = message_json()
        del message[field]

        answer = route.post("/messages", message)

        assert answer.status_code == 400
        assert answer.json[field][0].startswith("Missing. Must be ")

    def test_all_invalid_fields_are_reported_at_once(self, route):
        assert set(route.post("/messages", {"uuid": 1}).json) == {
            "customerId",
            "type",
            "amount",
            "uuid",
        }

    def test_other_properties_are_ignored(self, route):
        answer = route.post("/messages", message_json(comment={"a": [1, None]}))

        assert answer.status_code == 201
        assert "comment" not in answer.json

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b'{"customerId": 1',
            b"[]",
            b"null",
            b"5",
            b'"x"',
            b"\xff\xfe",
            b"\xef\xbb\xbf{}",
            b'{"customerId": NaN}',
            b'{"customerId": Infinity}',
            b'{"type": "\\ud800"}',
            b'{"customerId": ' + b"9" * 5_000 + b"}",
            b"[" * 30_000,
            b'{"a":' * 10_000,
        ],
        ids=lambda body: repr(body[:24]),
    )
    def test_body_that_is_not_a_message_gets_400(self, route, body):
        answer = route.post("/messages", data=body)

        assert answer.status_code == 400
        assert answer.json

    @pytest.mark.parametrize("number", ["1.0", "1e0", "10e-1"])
    def test_whole_number_with_a_fraction_or_exponent_is_an_integer(self, route, number):
        body = json.dumps(message_json()).replace('"customerId": 1', f'"customerId": {number}')

        assert route.post("/messages", data=body).json["customerId"] == 1

    @pytest.mark.parametrize(
        ("spelling", "number"),
        [
            ("9007199254740993.0", 2**53 + 1),
            ("-9223372036854775808.0", -(2**63)),
            ("9.223372036854775807e18", 2**63 - 1),
        ],
    )
    def test_customer_id_that_a_float_cannot_hold_is_read_exactly(self, route, spelling, number):
        body = json.dumps(message_json()).replace('"customerId": 1', f'"customerId": {spelling}')

        assert route.post("/messages", data=body).json["customerId"] == number
        batch = route.post("/messages/batch", data=f"[{body}]".encode()).json
        assert (batch["duplicates"], batch["rejected"]) == (1, [])

    @pytest.mark.parametrize(
        "number",
        [
            "9007199254740993.5",
            "9223372036854775808.0",
            "1e400",
            "1.00000000000000000001",
            "1e-400",
            "1e-99999999999999999999",
        ],
    )
    def test_customer_id_that_is_whole_only_as_a_float_gets_400(self, route, number):
        body = json.dumps(message_json()).replace('"customerId": 1', f'"customerId": {number}')

        answer = route.post("/messages", data=body)

        assert answer.status_code == 400
        assert list(answer.json) == ["customerId"]

    def test_body_over_64_kib_gets_413(self, route):
        answer = route.post("/messages", message_json(comment="x" * 65_536))

        assert answer.status_code == 413
        assert "65536 bytes" in answer.json["detail"]

    @pytest.mark.parametrize("content_type", ["text/plain", "application/xml", ""])
    def test_other_content_types_get_415(self, route, content_type):
        answer = route.post("/messages", data=json.dumps(message_json()), content_type=content_type)

        assert answer.status_code == 415

    @pytest.mark.parametrize("charset", ["utf-8", "utf-16", "utf-7", "latin-1"])
    def test_body_is_read_as_utf8_with_every_declared_charset(self, route, charset):
        answer = route.post(
            "/messages",
            data=json.dumps(message_json(type="é"), ensure_ascii=False).encode(),
            content_type=f"application/json; charset={charset}",
        )

        assert (answer.status_code, answer.json["type"]) == (201, "é")

    def test_unknown_query_parameter_gets_400_and_stores_nothing(self, route):
        assert route.post("/messages?dry_run=true", message_json()).status_code == 400
        assert not Message.objects.exists()

    def test_unknown_host_gets_400_and_stores_nothing(self, route):
        assert (
            route.post("/messages", message_json(), headers={"Host": "evil.test"}).status_code
            == 400
        )
        assert not Message.objects.exists()

    def test_form_of_the_page_records_a_message(self, http):
        form = {name: str(value) for name, value in message_json(timestamp="").items()}

        answer = http.client.post("/messages", data=form, content_type="multipart/form-data")

        assert answer.status_code == 201
        assert answer.json["customerId"] == 1

    @pytest.mark.django_db(transaction=True, databases="__all__")
    def test_recorded_message_is_counted_in_the_metrics(self, route):
        prefix = 'http_request_seconds_count{method="POST",route="/messages",status="201"} '

        def count():
            lines = route.get("/metrics").text.splitlines()
            counts = [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]
            return float(counts[0]) if counts else 0

        before = count()
        route.post("/messages", message_json())

        assert count() == before + 1

    def test_message_gets_503_while_the_database_is_unavailable(self, route, outage):
        outage.begin()

        answer = route.post("/messages", message_json())

        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == str(RETRY_AFTER_SECONDS)
        assert answer.json["detail"] == UNAVAILABLE_DETAIL

    @pytest.mark.parametrize("method", ["put", "patch", "delete"])
    def test_messages_cannot_be_changed_or_deleted(self, http, method):
        assert getattr(http.client, method)("/messages").status_code == 405


class TestGetMessage:
    def test_message_is_found_by_every_form_of_its_uuid(self, http):
        message = message_json()
        stored = http.post("/messages", message).json

        assert http.get(f"/messages/{message['uuid']}").json == stored
        assert http.get(f"/messages/{UUID(message['uuid']).hex.upper()}/").json == stored

    @pytest.mark.parametrize("uuid", [UNKNOWN, "5", "x" * 300, "%00", "%ff"])
    def test_unknown_uuid_gets_404(self, http, uuid):
        answer = http.client.get(f"/messages/{uuid}", headers=http.headers)

        assert answer.status_code == 404
        assert answer.json["detail"]


class TestGetMessages:
    def test_list_pages_are_ordered_by_timestamp_and_uuid(self, http):
        hours = [3, 1, 2, 2, 2, 2, 2]
        messages = [message_json(timestamp=f"2026-01-31T{hour:02}:00:00Z") for hour in hours]
        http.post("/messages/batch", messages)

        rows, pages = walk(http, "/messages", limit=2)

        assert rows == sorted(messages, key=lambda message: (message["timestamp"], message["uuid"]))
        assert pages == 4

    def test_list_pages_are_exact_to_the_microsecond(self, http):
        messages = [message_json(timestamp=f"2026-01-31T10:00:00.00000{n}Z") for n in range(1, 6)]
        http.post("/messages/batch", messages)

        rows, pages = walk(http, "/messages", limit=1)

        assert [row["uuid"] for row in rows] == [message["uuid"] for message in messages]
        assert pages == 5

    def test_list_filters_can_be_combined(self, http):
        wanted = message_json(customerId=2, type="B", timestamp="2026-01-31T23:59:59.999999Z")
        others = [
            wanted | {"uuid": str(uuid4()), "customerId": 1},
            wanted | {"uuid": str(uuid4()), "type": "A"},
            wanted | {"uuid": str(uuid4()), "timestamp": "2026-02-01T00:00:00Z"},
            wanted | {"uuid": str(uuid4()), "timestamp": "2026-01-30T23:59:59Z"},
        ]
        http.post("/messages/batch", [wanted, *others])

        query = {"customerId": 2, "type": "B", "timestamp__gte": "2026-01-31"}
        rows = http.get("/messages", **query, timestamp__lte="2026-01-31").json

        assert [row["uuid"] for row in rows] == [wanted["uuid"]]
        assert len(http.get("/messages", customerId=2).json) == 4

    @pytest.mark.parametrize(
        ("query", "name"),
        [
            ("customerID=1", "customerID"),
            ("customerId=one", "customerId"),
            ("customerId=", "customerId"),
            ("customerId=1&customerId=2", "customerId"),
            ("type=%00", "type"),
            ("timestamp__gte=soon", "timestamp__gte"),
            ("limit=0", "limit"),
            ("cursor=x", "cursor"),
            ("cursor=WzEsMl0", "cursor"),
            ("cursor=WyJcdTAwMDAiLCJcdWQ4MDAiXQ", "cursor"),
        ],
    )
    def test_invalid_list_parameter_gets_400_that_names_it(self, http, query, name):
        answer = http.client.get(f"/messages?{query}", headers=http.headers)

        assert answer.status_code == 400
        assert list(answer.json) == [name]

    def test_browser_gets_a_page_with_a_filter_form(self, http):
        http.post("/messages", message_json(type="<script>"))

        page = http.client.get("/messages", headers={"Accept": "text/html"})

        assert page.status_code == 200
        assert 'name="customerId"' in page.text
        assert "&lt;script&gt;" in page.text


class TestTimestamps:
    def test_timestamp_defaults_to_now(self, route):
        before = timezone.now()

        stored = route.post("/messages", message_json()).json["timestamp"]

        assert before <= datetime.fromisoformat(stored) <= timezone.now()
