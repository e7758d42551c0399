import json

import pytest

from stats.models import DailyTotal, Message
from tests.stats.factories import message_json

pytestmark = pytest.mark.django_db(transaction=True)

NDJSON = "application/x-ndjson"


def to_lines(items):
    return "\n".join(json.dumps(item) for item in items)


class TestPostBatch:
    @pytest.mark.parametrize("form", ["array", "lines"])
    def test_batch_response_gives_the_result_of_each_message(self, http, form):
        known = message_json()
        http.post("/messages", known)
        new = message_json()
        items = [new, known, known | {"amount": "0.013"}, message_json(uuid="x"), new, 5]
        options = {"data": to_lines(items), "content_type": NDJSON} if form == "lines" else {}

        answer = http.post("/messages/batch", items, **options)

        assert answer.status_code == 200
        assert answer.json | {"rejected": [item["index"] for item in answer.json["rejected"]]} == {
            "accepted": 1,
            "duplicates": 2,
            "conflicts": [{"index": 2, "uuid": known["uuid"], "fields": ["amount"]}],
            "rejected": [3, 5],
        }
        assert list(answer.json["rejected"][0]["errors"]) == ["uuid"]
        assert DailyTotal.objects.get().messages == 2

    def test_batch_of_10000_messages_is_accepted_only_the_first_time(self, http):
        batch = [message_json(customerId=number % 7) for number in range(10_000)]

        first, second = (http.post("/messages/batch/", batch).json for _ in range(2))

        no_others = {"conflicts": [], "rejected": []}
        assert first == {"accepted": 10_000, "duplicates": 0, **no_others}
        assert second == {"accepted": 0, "duplicates": 10_000, **no_others}
        assert sum(row["count"] for row in http.get("/stats").json) == 10_000

    @pytest.mark.parametrize("content_type", ["application/json", NDJSON])
    def test_batch_of_more_than_10000_messages_gets_413_and_stores_nothing(
        self, http, content_type
    ):
        items = [message_json()] * 10_001
        body = to_lines(items) if content_type == NDJSON else json.dumps(items)

        answer = http.post("/messages/batch", data=body, content_type=content_type)

        assert answer.status_code == 413
        assert "10000" in answer.json["detail"]
        assert not Message.objects.exists()

    def test_ndjson_indexes_skip_blank_lines(self, http):
        body = f"\n  \r\n{json.dumps(message_json())}\r\n\n{{\n{json.dumps(message_json())}\n"

        answer = http.post("/messages/batch", data=body, content_type=NDJSON).json

        assert answer["accepted"] == 2
        assert [item["index"] for item in answer["rejected"]] == [1]

    @pytest.mark.parametrize(
        "line",
        [b"\xff", b"{", b"[" * 20_000, b"9" * 5_000, b'{"type": "\\ud800"}', b"NaN", b"nul"],
        ids=lambda line: repr(line[:12]),
    )
    def test_bad_ndjson_line_fails_alone(self, http, line):
        body = line + b"\n" + json.dumps(message_json()).encode()

        answer = http.post("/messages/batch", data=body, content_type=NDJSON).json

        assert (answer["accepted"], [item["index"] for item in answer["rejected"]]) == (1, [0])
        assert answer["rejected"][0]["errors"]["non_field_errors"][0]

    @pytest.mark.parametrize(
        "item",
        [
            '{"type": "\\ud800"}',
            '{"type": "\\u0000", "uuid": "x"}',
            '{"customerId": %s}' % ("9" * 5_000),
            "[]",
            "1e999",
            "null",
        ],
        ids=lambda item: item[:20],
    )
    def test_bad_array_item_fails_alone(self, http, item):
        answer = http.post("/messages/batch", data=f"[{item}, {json.dumps(message_json())}]").json

        assert (answer["accepted"], [item["index"] for item in answer["rejected"]]) == (1, [0])

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"{}", 400),
            (b"[", 400),
            (b'[{"customerId": NaN}]', 400),
            (b"[" * 100_000, 400),
            (b"\xff", 400),
            (b"", 400),
            (b"[" + b"{}," * 600_000 + b"{}]", 413),
            (b'[{"x": [' + b"[]," * 600_000 + b"[]]}]", 413),
            (b" " * (16 * 1024 * 1024 + 1), 413),
        ],
        ids=lambda value: repr(value[:12]) if isinstance(value, bytes) else value,
    )
    def test_body_that_is_not_a_batch_is_rejected(self, http, body, status):
        answer = http.post("/messages/batch", data=body)

        assert answer.status_code == status
        assert answer.json["detail"]

    def test_empty_batch_accepts_nothing(self, http):
        assert http.post("/messages/batch", []).json["accepted"] == 0

    def test_batch_of_another_content_type_gets_415(self, http):
        answer = http.post("/messages/batch", data="x", content_type="text/csv")

        assert answer.status_code == 415
        assert NDJSON in answer.json["detail"]

    def test_batch_gets_503_while_the_database_is_unavailable(self, http, outage):
        outage.begin()

        answer = http.post("/messages/batch", [message_json()])

        assert answer.status_code == 503
        assert answer.headers["Retry-After"]

    def test_batch_cannot_be_read(self, http):
        assert http.get("/messages/batch").status_code == 405
