import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError
from django.utils import timezone

from common.api.errors import RETRY_AFTER_SECONDS
from stats.models import DailyTotal, Message
from stats.services import recording as services
from tests.stats.factories import sent

pytestmark = pytest.mark.django_db(transaction=True)

UNKNOWN = "a596b362-08be-419f-8070-9c3055566e7c"
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def walk(http, path, **parameters):
    """All rows of all pages."""
    rows, pages = [], 0
    answer = http.get(path, **parameters)
    while True:
        assert answer.status_code == 200, answer.text
        rows += answer.json
        pages += 1
        assert pages < 1_000, "the pages lead in a circle"
        link = answer.headers.get("Link")
        if not link:
            return rows, pages
        answer = http.client.get(link.split(">")[0][1:], headers=http.headers)


class TestPostMessages:
    def test_answers_201_with_the_stored_message(self, door, time_machine):
        time_machine.move_to(NOW, tick=False)
        message = sent()

        answer = door.post("/messages", message)

        assert answer.status_code == 201
        assert answer.json == message | {"timestamp": "2026-01-31T12:00:00Z"}
        assert answer.content_type == "application/json"

    def test_is_part_of_the_next_stats(self, door):
        door.post("/messages", sent())
        door.post("/messages", sent())

        assert door.get("/stats").json == [
            {"customerId": 1, "type": "A", "count": 2, "totalAmount": "0.024"}
        ]

    def test_answers_200_to_the_same_message_and_counts_it_once(self, door):
        message = sent()
        first = door.post("/messages", message)

        again = door.post("/messages/", message)

        assert again.status_code == 200
        assert again.json == first.json
        assert door.get("/stats").json[0]["count"] == 1

    def test_answers_409_naming_what_differs(self, door):
        message = sent()
        door.post("/messages", message)

        answer = door.post("/messages", message | {"amount": "0.013", "customerId": 2})

        assert answer.status_code == 409
        assert answer.json == {
            "detail": f"The message {message['uuid']} is known with other content.",
            "conflicts": {
                "customerId": {"stored": 1, "sent": 2},
                "amount": {"stored": "0.012", "sent": "0.013"},
            },
        }
        assert door.get("/stats").json[0]["totalAmount"] == "0.012"

    @pytest.mark.parametrize(
        "form",
        [
            "A596B362-08BE-419F-8070-9C3055566E7C",
            "a596b36208be419f80709c3055566e7c",
            "{a596b362-08be-419f-8070-9c3055566e7c}",
            "urn:uuid:a596b362-08be-419f-8070-9c3055566e7c",
        ],
    )
    def test_takes_any_form_of_a_uuid_as_the_same(self, door, form):
        canonical = "a596b362-08be-419f-8070-9c3055566e7c"

        assert door.post("/messages", sent(uuid=form)).json["uuid"] == canonical
        assert door.post("/messages", sent(uuid=canonical)).status_code == 200

    def test_takes_a_timestamp_and_counts_on_its_day(self, door):
        answer = door.post("/messages", sent(timestamp="2020-01-01T23:30:00-01:00"))

        assert answer.json["timestamp"] == "2020-01-02T00:30:00Z"
        assert str(DailyTotal.objects.get().day) == "2020-01-02"

    def test_compares_a_timestamp_only_if_sent(self, door):
        message = sent(timestamp="2020-01-01T12:00:00Z")
        door.post("/messages", message)

        without = door.post("/messages", {k: v for k, v in message.items() if k != "timestamp"})
        other = door.post("/messages", message | {"timestamp": "2020-01-01T12:00:01"})

        assert without.status_code == 200
        assert other.json["conflicts"] == {
            "timestamp": {"stored": "2020-01-01T12:00:00Z", "sent": "2020-01-01T12:00:01Z"}
        }

    def test_takes_a_timestamp_at_most_5_minutes_ahead(self, door, time_machine):
        time_machine.move_to(NOW, tick=False)
        ahead = NOW + timedelta(minutes=5)

        assert door.post("/messages", sent(timestamp=ahead.isoformat())).status_code == 201
        late = door.post("/messages", sent(timestamp=(ahead + timedelta(seconds=1)).isoformat()))
        assert late.status_code == 400
        assert "5 minutes ahead" in late.json["timestamp"][0]

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
    def test_refuses_what_is_not_allowed_and_says_what_is(self, door, field, value):
        answer = door.post("/messages", sent(**{field: value}))

        assert answer.status_code == 400
        assert list(answer.json) == [field]
        assert answer.json[field][0].startswith("Not allowed; allowed: ")
        assert not Message.objects.exists()

    @pytest.mark.parametrize("field", ["customerId", "type", "amount", "uuid"])
    def test_names_a_field_that_is_missing(self, door, field):
        message = sent()
        del message[field]

        answer = door.post("/messages", message)

        assert answer.status_code == 400
        assert answer.json[field][0].startswith("Missing; it must be ")

    def test_names_all_that_is_wrong_at_once(self, door):
        assert set(door.post("/messages", {"uuid": 1}).json) == {
            "customerId",
            "type",
            "amount",
            "uuid",
        }

    def test_ignores_other_properties(self, door):
        answer = door.post("/messages", sent(comment={"a": [1, None]}))

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
    def test_refuses_a_body_that_is_no_message(self, door, body):
        answer = door.post("/messages", data=body)

        assert answer.status_code == 400
        assert answer.json

    @pytest.mark.parametrize("number", ["1.0", "1e0", "10e-1"])
    def test_takes_any_spelling_of_an_integer(self, door, number):
        body = json.dumps(sent()).replace('"customerId": 1', f'"customerId": {number}')

        assert door.post("/messages", data=body).json["customerId"] == 1

    @pytest.mark.parametrize(
        ("spelling", "number"),
        [
            ("9007199254740993.0", 2**53 + 1),
            ("-9223372036854775808.0", -(2**63)),
            ("9.223372036854775807e18", 2**63 - 1),
        ],
    )
    def test_bills_no_other_customer_for_what_a_float_cannot_hold(self, door, spelling, number):
        body = json.dumps(sent()).replace('"customerId": 1', f'"customerId": {spelling}')

        assert door.post("/messages", data=body).json["customerId"] == number
        batch = door.post("/messages/batch", data=f"[{body}]".encode()).json
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
    def test_refuses_what_only_a_float_takes_for_a_customers_id(self, door, number):
        body = json.dumps(sent()).replace('"customerId": 1', f'"customerId": {number}')

        answer = door.post("/messages", data=body)

        assert answer.status_code == 400
        assert list(answer.json) == ["customerId"]

    def test_refuses_a_body_over_64_kib(self, door):
        answer = door.post("/messages", sent(comment="x" * 65_536))

        assert answer.status_code == 413
        assert "65536 bytes" in answer.json["detail"]

    @pytest.mark.parametrize("content_type", ["text/plain", "application/xml", ""])
    def test_refuses_other_content_types(self, door, content_type):
        answer = door.post("/messages", data=json.dumps(sent()), content_type=content_type)

        assert answer.status_code == 415

    @pytest.mark.parametrize("charset", ["utf-8", "utf-16", "utf-7", "latin-1"])
    def test_reads_utf8_whatever_the_content_type_claims(self, door, charset):
        answer = door.post(
            "/messages",
            data=json.dumps(sent(type="é"), ensure_ascii=False).encode(),
            content_type=f"application/json; charset={charset}",
        )

        assert (answer.status_code, answer.json["type"]) == (201, "é")

    def test_refuses_unknown_parameters(self, door):
        assert door.post("/messages?dry_run=true", sent()).status_code == 400
        assert not Message.objects.exists()

    def test_refuses_a_foreign_host(self, door):
        assert door.post("/messages", sent(), headers={"Host": "evil.test"}).status_code == 400
        assert not Message.objects.exists()

    def test_takes_the_form_of_the_page(self, http):
        form = {name: str(value) for name, value in sent(timestamp="").items()}

        answer = http.client.post("/messages", data=form, content_type="multipart/form-data")

        assert answer.status_code == 201
        assert answer.json["customerId"] == 1

    @pytest.mark.django_db(transaction=True, databases="__all__")
    def test_is_counted_in_the_metrics(self, door):
        line = 'http_request_seconds_count{method="POST",route="/messages",status="201"} '

        def count():
            found = [it for it in door.get("/metrics").text.splitlines() if it.startswith(line)]
            return float(found[0].removeprefix(line)) if found else 0

        before = count()
        door.post("/messages", sent())

        assert count() == before + 1

    def test_says_503_while_the_store_is_away(self, door, monkeypatch):
        def away(message):
            raise OperationalError("gone")

        monkeypatch.setattr(services, "record_message", away)

        answer = door.post("/messages", sent())

        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == str(RETRY_AFTER_SECONDS)
        assert "away" in answer.json["detail"]

    @pytest.mark.parametrize("method", ["put", "patch", "delete"])
    def test_leaves_no_other_way_to_change_messages(self, http, method):
        assert getattr(http.client, method)("/messages").status_code == 405


class TestGetMessage:
    def test_answers_the_message(self, http):
        message = sent()
        stored = http.post("/messages", message).json

        assert http.get(f"/messages/{message['uuid']}").json == stored
        assert http.get(f"/messages/{UUID(message['uuid']).hex.upper()}/").json == stored

    @pytest.mark.parametrize("uuid", [UNKNOWN, "5", "x" * 300, "%00", "%ff"])
    def test_answers_404_to_what_is_unknown(self, http, uuid):
        answer = http.client.get(f"/messages/{uuid}", headers=http.headers)

        assert answer.status_code == 404
        assert answer.json["detail"]


class TestGetMessages:
    def test_lists_by_timestamp_then_uuid_over_pages(self, http):
        hours = [3, 1, 2, 2, 2, 2, 2]
        messages = [sent(timestamp=f"2026-01-31T{hour:02}:00:00Z") for hour in hours]
        http.post("/messages/batch", messages)

        rows, pages = walk(http, "/messages", limit=2)

        assert rows == sorted(messages, key=lambda it: (it["timestamp"], it["uuid"]))
        assert pages == 4

    def test_pages_are_exact_to_the_microsecond(self, http):
        messages = [sent(timestamp=f"2026-01-31T10:00:00.00000{n}Z") for n in range(1, 6)]
        http.post("/messages/batch", messages)

        rows, pages = walk(http, "/messages", limit=1)

        assert [row["uuid"] for row in rows] == [message["uuid"] for message in messages]
        assert pages == 5

    def test_filters_freely(self, http):
        wanted = sent(customerId=2, type="B", timestamp="2026-01-31T23:59:59.999999Z")
        others = [
            wanted | {"uuid": str(uuid4()), "customerId": 1},
            wanted | {"uuid": str(uuid4()), "type": "A"},
            wanted | {"uuid": str(uuid4()), "timestamp": "2026-02-01T00:00:00Z"},
            wanted | {"uuid": str(uuid4()), "timestamp": "2026-01-30T23:59:59Z"},
        ]
        http.post("/messages/batch", [wanted, *others])

        asked = {"customerId": 2, "type": "B", "timestamp__gte": "2026-01-31"}
        rows = http.get("/messages", **asked, timestamp__lte="2026-01-31").json

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
    def test_refuses_a_parameter_by_its_name(self, http, query, name):
        answer = http.client.get(f"/messages?{query}", headers=http.headers)

        assert answer.status_code == 400
        assert list(answer.json) == [name]

    def test_shows_a_page_with_a_form_to_a_person(self, http):
        http.post("/messages", sent(type="<script>"))

        page = http.client.get("/messages", headers={"Accept": "text/html"})

        assert page.status_code == 200
        assert 'name="customerId"' in page.text
        assert "&lt;script&gt;" in page.text


class TestTimestamps:
    def test_default_to_now(self, door):
        before = timezone.now()

        stored = door.post("/messages", sent()).json["timestamp"]

        assert before <= datetime.fromisoformat(stored) <= timezone.now()
