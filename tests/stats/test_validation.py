import json
import re
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

import stats
from stats.api.validation import read_message
from tests.stats.factories import sent

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SCHEMA = json.loads((Path(stats.__file__).parent / "schemas" / "stats_message.json").read_text())
is_valid = jsonschema.Draft7Validator(SCHEMA).is_valid

UUID_FORMS = re.compile(
    r"(urn:uuid:)?[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}"
    r"|\{[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\}",
    re.IGNORECASE | re.ASCII,
)

UNSTORABLE = re.compile("[\0\ud800-\udfff]")

# All that is stricter than the schema, and only that.
STRICTER = {
    "customerId within signed 64 bits": lambda it: -(2**63) <= it["customerId"] < 2**63,
    "type at most 255 characters": lambda it: len(it["type"]) <= 255,
    "type without NUL and lone surrogates": lambda it: (
        not re.search("[\0\ud800-\udfff]", it["type"])
    ),
    "amount 1 to 9 digits, a point, 3 digits": lambda it: bool(
        re.fullmatch(r"[0-9]{1,9}\.[0-9]{3}", it["amount"])
    ),
    "uuid a UUID": lambda it: bool(UUID_FORMS.fullmatch(it["uuid"])),
    "timestamp at most 5 minutes ahead": lambda it: (
        "timestamp" not in it or it["timestamp"] in GOOD
    ),
}
GOOD = {"2026-01-31T12:05:00Z", "2020-01-01", "2020-01-01 00:00+05:00", "0001-01-01T00:00:00"}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)
fields = {
    "customerId": st.integers(-(2**64), 2**64)
    | st.floats(-1e19, 1e19)
    | st.sampled_from([1.0, -0.0]),
    "type": st.text(max_size=300) | st.text(st.characters(), max_size=3) | st.just("x" * 255),
    "amount": st.from_regex(r"-?[0-9]{1,11}\.[0-9]{2,4}\n?", fullmatch=True) | st.just("٠.٠١٢"),
    "uuid": st.uuids().map(str)
    | st.uuids().map(lambda it: it.hex.upper())
    | st.uuids().map(lambda it: it.urn)
    | st.uuids().map(lambda it: f"{{{it}}}")
    | st.from_regex(r"[0-9a-f-]{30,38}", fullmatch=True),
}
messages = st.fixed_dictionaries(
    {},
    optional={name: field | json_values for name, field in fields.items()}
    | {
        "timestamp": st.sampled_from([*sorted(GOOD), "2026-01-31T12:05:01Z", "no", "", 5, None]),
        "other": json_values,
    },
)
whole_messages = st.fixed_dictionaries(fields)


def is_accepted(content):
    try:
        read_message(content, at=NOW)
    except ValidationError:
        return False
    return True


class TestReadMessage:
    @settings(max_examples=600, deadline=None)
    @given(content=whole_messages | messages | json_values)
    @example(content=sent(customerId=1.0))
    @example(content=sent(customerId=True))
    @example(content=sent(customerId="1"))
    @example(content=sent(amount="-0.012"))
    @example(content=sent(amount="0.012\n"))
    @example(content=sent(amount="999999999.999"))
    @example(content=sent(amount="1234567890.000"))
    @example(content=sent(type=""))
    @example(content=[sent()])
    def test_accepts_what_the_schema_does_less_what_is_listed(self, content):
        allowed = is_valid(content) and all(rule(content) for rule in STRICTER.values())

        assert is_accepted(content) == allowed

    @pytest.mark.parametrize(
        ("reason", "content"),
        [
            ("customerId within signed 64 bits", sent(customerId=2**63)),
            ("type at most 255 characters", sent(type="x" * 256)),
            ("type without NUL and lone surrogates", sent(type="\0")),
            ("amount 1 to 9 digits, a point, 3 digits", sent(amount="-0.012")),
            ("uuid a UUID", sent(uuid="5")),
            ("timestamp at most 5 minutes ahead", sent(timestamp="2026-01-31T12:05:01Z")),
        ],
    )
    def test_is_stricter_where_it_is_listed(self, reason, content):
        assert is_valid(content)
        assert [name for name, rule in STRICTER.items() if not rule(content)] == [reason]
        assert not is_accepted(content)

    def test_reads_the_example_of_the_contract(self):
        content = read_message(
            {
                "customerId": 1,
                "type": "A",
                "amount": "0.012",
                "uuid": "a596b362-08be-419f-8070-9c3055566e7c",
            },
            at=NOW,
        )

        assert content == ("a596b362-08be-419f-8070-9c3055566e7c", 1, "A", 12, NOW, False)


# A request looks at every connection, also at those that it does not need.
@pytest.mark.django_db(databases="__all__")
def test_the_schema_is_served(http):
    answer = http.get("/schemas/stats_message.json")

    assert answer.json == SCHEMA
    assert answer.json["$id"] == "http://jagaad.com/stats_message.json"
    jsonschema.Draft7Validator.check_schema(answer.json)
