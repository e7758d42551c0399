"""Hot path: parse and format messages without a serializer.

The fast path, the view and the batch view share these functions.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from rest_framework.exceptions import ValidationError

from common.api.parsing import INT64, UNSTORABLE, to_instant
from stats.models import MessageData, format_amount

MAX_TYPE_LENGTH = 255
MAX_AHEAD = timedelta(minutes=5)

# The OpenAPI schema of a message type.
TYPE_SCHEMA = {"type": "string", "maxLength": MAX_TYPE_LENGTH, "pattern": r"^[^\x00]*$"}
AMOUNT = re.compile(r"[0-9]{1,9}\.[0-9]{3}")
CANONICAL_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
ANY_UUID = re.compile(
    r"(?P<brace>\{)?(?:urn:uuid:)?(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"(?(brace)\})",
    re.ASCII | re.IGNORECASE,
)

# The allowed values of each field, for error messages and help texts.
ALLOWED = {
    "customerId": "an integer of at most 64 bits",
    "type": f"a string of at most {MAX_TYPE_LENGTH} characters, without NUL",
    "amount": 'a string of 1 to 9 digits, a point and 3 digits, such as "0.012"',
    "uuid": "a string that is a UUID, such as a596b362-08be-419f-8070-9c3055566e7c",
    "timestamp": "an ISO 8601 date or datetime (UTC if it has no offset), "
    "at most 5 minutes in the future; omit it to use the current time",
}

# The fields of MessageData, with their names in JSON.
JSON_NAMES = {
    "customer_id": "customerId",
    "type": "type",
    "amount_thousandths": "amount",
    "timestamp": "timestamp",
}


def parse_message(content: Any, *, at: datetime) -> MessageData:
    """Parse the JSON content of a message. ``at`` is the time of arrival.

    :raises ValidationError: with an error for each field that is missing or not allowed.
    """
    try:
        return MessageData(
            uuid=parse_uuid(content["uuid"]),
            customer_id=_parse_customer_id(content["customerId"]),
            type=_parse_type(content["type"]),
            amount_thousandths=_parse_amount(content["amount"]),
            timestamp=_parse_timestamp(content["timestamp"], at) if "timestamp" in content else at,
            has_sender_timestamp="timestamp" in content,
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ValidationError(_field_errors(content, at)) from error


def _field_errors(content: Any, at: datetime) -> dict[str, list[str]]:
    if not isinstance(content, Mapping):
        return {
            "non_field_errors": [
                "A message must be an object with customerId, type, amount and uuid."
            ]
        }
    errors = {}
    for name, parse in _PARSERS.items():
        if name not in content:
            if name != "timestamp":
                errors[name] = [f"Missing. Must be {ALLOWED[name]}."]
            continue
        try:
            parse(content[name], at)
        except (ValueError, TypeError):
            errors[name] = [f"Must be {ALLOWED[name]}."]
    return errors


def parse_uuid(value: Any) -> str:
    """Return the canonical form of a UUID in any textual form.

    :raises ValueError: if the text is not a UUID.
    :raises TypeError: if the value is not text.
    """
    if CANONICAL_UUID.fullmatch(value):
        return str(value)
    if not ANY_UUID.fullmatch(value):
        raise ValueError(value)
    return str(UUID(value))


def _parse_customer_id(value: Any) -> int:
    # parse_json has already turned 1.0 into an integer, as JSON Schema requires.
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(value)
    if not INT64[0] <= value <= INT64[1]:
        raise ValueError(value)
    return value


def _parse_type(value: Any) -> str:
    if len(value) > MAX_TYPE_LENGTH or UNSTORABLE.search(value):
        raise ValueError(value)
    return str(value)


def _parse_amount(value: Any) -> int:
    if not AMOUNT.fullmatch(value):
        raise ValueError(value)
    return int(value.replace(".", ""))


def _parse_timestamp(value: Any, at: datetime) -> datetime:
    instant = to_instant(value)
    if instant > at + MAX_AHEAD:
        raise ValueError(value)
    return instant


_PARSERS: dict[str, Callable[[Any, datetime], Any]] = {
    "customerId": lambda value, at: _parse_customer_id(value),
    "type": lambda value, at: _parse_type(value),
    "amount": lambda value, at: _parse_amount(value),
    "uuid": lambda value, at: parse_uuid(value),
    "timestamp": _parse_timestamp,
}


def format_message(message: MessageData) -> dict[str, Any]:
    return {
        "customerId": message.customer_id,
        "type": message.type,
        "amount": format_amount(message.amount_thousandths),
        "uuid": message.uuid,
        "timestamp": format_instant(message.timestamp),
    }


def format_instant(instant: datetime) -> str:
    return instant.isoformat().removesuffix("+00:00") + "Z"
