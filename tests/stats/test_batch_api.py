import json

import pytest
from django.db import OperationalError

from stats.models import DailyTotal, Message
from stats.services import recording as services
from tests.stats.factories import sent

pytestmark = pytest.mark.django_db(transaction=True)

NDJSON = "application/x-ndjson"


def lines(items):
    return "\n".join(json.dumps(item) for item in items)


class TestPostBatch:
    @pytest.mark.parametrize("form", ["array", "lines"])
    def test_tells_what_became_of_each(self, http, form):
        known = sent()
        http.post("/messages", known)
        new = sent()
        items = [new, known, known | {"amount": "0.013"}, sent(uuid="x"), new, 5]
        options = {"data": lines(items), "content_type": NDJSON} if form == "lines" else {}

        answer = http.post("/messages/batch", items, **options)

        assert answer.status_code == 200
        assert answer.json | {"rejected": [it["index"] for it in answer.json["rejected"]]} == {
            "accepted": 1,
            "duplicates": 2,
            "conflicts": [{"index": 2, "uuid": known["uuid"], "fields": ["amount"]}],
            "rejected": [3, 5],
        }
        assert list(answer.json["rejected"][0]["errors"]) == ["uuid"]
        assert DailyTotal.objects.get().messages == 2

    def test_of_10000_twice_accepts_none_the_second_time(self, http):
        batch = [sent(customerId=number % 7) for number in range(10_000)]

        first, second = (http.post("/messages/batch/", batch).json for _ in range(2))

        nothing_else = {"conflicts": [], "rejected": []}
        assert first == {"accepted": 10_000, "duplicates": 0, **nothing_else}
        assert second == {"accepted": 0, "duplicates": 10_000, **nothing_else}
        assert sum(row["count"] for row in http.get("/stats").json) == 10_000

    @pytest.mark.parametrize("content_type", ["application/json", NDJSON])
    def test_of_more_than_10000_is_refused_whole(self, http, content_type):
        items = [sent()] * 10_001
        body = lines(items) if content_type == NDJSON else json.dumps(items)

        answer = http.post("/messages/batch", data=body, content_type=content_type)

        assert answer.status_code == 413
        assert "10000" in answer.json["detail"]
        assert not Message.objects.exists()

    def test_counts_lines_that_are_not_blank(self, http):
        body = f"\n  \r\n{json.dumps(sent())}\r\n\n{{\n{json.dumps(sent())}\n"

        answer = http.post("/messages/batch", data=body, content_type=NDJSON).json

        assert answer["accepted"] == 2
        assert [it["index"] for it in answer["rejected"]] == [1]

    @pytest.mark.parametrize(
        "line",
        [b"\xff", b"{", b"[" * 20_000, b"9" * 5_000, b'{"type": "\\ud800"}', b"NaN", b"nul"],
        ids=lambda line: repr(line[:12]),
    )
    def test_lets_a_bad_line_fail_alone(self, http, line):
        body = line + b"\n" + json.dumps(sent()).encode()

        answer = http.post("/messages/batch", data=body, content_type=NDJSON).json

        assert (answer["accepted"], [it["index"] for it in answer["rejected"]]) == (1, [0])
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
    def test_lets_a_bad_item_fail_alone(self, http, item):
        answer = http.post("/messages/batch", data=f"[{item}, {json.dumps(sent())}]").json

        assert (answer["accepted"], [it["index"] for it in answer["rejected"]]) == (1, [0])

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
        ids=lambda it: repr(it[:12]) if isinstance(it, bytes) else it,
    )
    def test_refuses_a_body_that_is_no_batch(self, http, body, status):
        answer = http.post("/messages/batch", data=body)

        assert answer.status_code == status
        assert answer.json["detail"]

    def test_of_nothing_is_nothing(self, http):
        assert http.post("/messages/batch", []).json["accepted"] == 0

    def test_refuses_other_content_types(self, http):
        answer = http.post("/messages/batch", data="x", content_type="text/csv")

        assert answer.status_code == 415
        assert NDJSON in answer.json["detail"]

    def test_says_503_while_the_store_is_away(self, http, monkeypatch):
        def away(messages):
            raise OperationalError("gone")

        monkeypatch.setattr(services, "record_messages", away)

        answer = http.post("/messages/batch", [sent()])

        assert answer.status_code == 503
        assert answer.headers["Retry-After"]

    def test_is_only_posted(self, http):
        assert http.get("/messages/batch").status_code == 405
