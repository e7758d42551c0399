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
from common.api.json_format import parse_json_leniently
from stats.api.validation import parse_message
from tests.stats.factories import message_json

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SCHEMA = json.loads((Path(stats.__file__).parent / "schemas" / "stats_message.json").read_text())
is_valid = jsonschema.Draft7Validator(SCHEMA).is_valid

UUID_FORMS = re.compile(
    r"(urn:uuid:)?[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}"
    r"|\{[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\}",
    re.IGNORECASE | re.ASCII,
)

# The rules that are stricter than the schema. There are no others.
STRICTER = {
    "customerId within signed 64 bits": lambda message: -(2**63) <= message["customerId"] < 2**63,
    "type at most 255 characters": lambda message: len(message["type"]) <= 255,
    "type without NUL and lone surrogates": lambda message: (
        not re.search("[\0\ud800-\udfff]", message["type"])
    ),
    "amount 1 to 9 digits, a point, 3 digits": lambda message: bool(
        re.fullmatch(r"[0-9]{1,9}\.[0-9]{3}", message["amount"])
    ),
    "uuid a UUID": lambda message: bool(UUID_FORMS.fullmatch(message["uuid"])),
    "timestamp at most 5 minutes ahead": lambda message: (
        "timestamp" not in message or message["timestamp"] in VALID_TIMESTAMPS
    ),
}
VALID_TIMESTAMPS = {
    "2026-01-31T12:05:00Z",
    "2020-01-01",
    "2020-01-01 00:00+05:00",
    "0001-01-01T00:00:00",
}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
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
    | st.uuids().map(lambda uuid: uuid.hex.upper())
    | st.uuids().map(lambda uuid: uuid.urn)
    | st.uuids().map(lambda uuid: f"{{{uuid}}}")
    | st.from_regex(r"[0-9a-f-]{30,38}", fullmatch=True),
}
messages = st.fixed_dictionaries(
    {},
    optional={name: field | json_values for name, field in fields.items()}
    | {
        "timestamp": st.sampled_from(
            [*sorted(VALID_TIMESTAMPS), "2026-01-31T12:05:01Z", "no", "", 5, None]
        ),
        "other": json_values,
    },
)
whole_messages = st.fixed_dictionaries(fields)


def is_accepted(content):
    try:
        parse_message(content, at=NOW)
    except ValidationError:
        return False
    return True


class TestParseMessage:
    @settings(max_examples=600, deadline=None)
    @given(content=whole_messages | messages | json_values)
    @example(content=message_json(customerId=1.0))
    @example(content=message_json(customerId=True))
    @example(content=message_json(customerId="1"))
    @example(content=message_json(amount="-0.012"))
    @example(content=message_json(amount="0.012\n"))
    @example(content=message_json(amount="999999999.999"))
    @example(content=message_json(amount="1234567890.000"))
    @example(content=message_json(type=""))
    @example(content=[message_json()])
    def test_message_is_accepted_if_schema_and_stricter_rules_allow_it(self, content):
        content = parse_json_leniently(json.dumps(content).encode())

        allowed = is_valid(content) and all(rule(content) for rule in STRICTER.values())

        assert is_accepted(content) == allowed

    @pytest.mark.parametrize(
        ("reason", "content"),
        [
            ("customerId within signed 64 bits", message_json(customerId=2**63)),
            ("type at most 255 characters", message_json(type="x" * 256)),
            ("type without NUL and lone surrogates", message_json(type="\0")),
            ("amount 1 to 9 digits, a point, 3 digits", message_json(amount="-0.012")),
            ("uuid a UUID", message_json(uuid="5")),
            ("timestamp at most 5 minutes ahead", message_json(timestamp="2026-01-31T12:05:01Z")),
        ],
    )
    def test_each_stricter_rule_rejects_a_message_that_the_schema_allows(self, reason, content):
        assert is_valid(content)
        assert [name for name, rule in STRICTER.items() if not rule(content)] == [reason]
        assert not is_accepted(content)

    def test_example_of_the_contract_is_parsed(self):
        content = parse_message(
            {
                "customerId": 1,
                "type": "A",
                "amount": "0.012",
                "uuid": "a596b362-08be-419f-8070-9c3055566e7c",
            },
            at=NOW,
        )

        assert content == ("a596b362-08be-419f-8070-9c3055566e7c", 1, "A", 12, NOW, False)


# Django checks all connections at the end of a request, also those that it did not use.
@pytest.mark.django_db(databases="__all__")
def test_json_schema_is_served(http):
    answer = http.get("/schemas/stats_message.json")

    assert answer.json == SCHEMA
    assert answer.json["$id"] == "http://jagaad.com/stats_message.json"
    jsonschema.Draft7Validator.check_schema(answer.json)
