"""What a message must be and how it is answered: the one place for every door."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from rest_framework.exceptions import ValidationError

from common.api.parsing import INT64, UNSTORABLE, to_instant
from stats.models import spoken_amount
from stats.services.bulk_insert import Content

MAX_TYPE_LENGTH = 255
FURTHEST_AHEAD = timedelta(minutes=5)

# Of a type, in OpenAPI.
TYPE_SCHEMA = {"type": "string", "maxLength": MAX_TYPE_LENGTH, "pattern": r"^[^\x00]*$"}
AMOUNT = re.compile(r"[0-9]{1,9}\.[0-9]{3}")
CANONICAL_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
ANY_UUID = re.compile(
    r"(?P<brace>\{)?(?:urn:uuid:)?(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"(?(brace)\})",
    re.ASCII | re.IGNORECASE,
)

# What is allowed for each field, in words.
ALLOWED = {
    "customerId": "an integer of at most 64 bits",
    "type": f"a string of at most {MAX_TYPE_LENGTH} characters, without NUL",
    "amount": 'a string of 1 to 9 digits, a point and 3 digits, such as "0.012"',
    "uuid": "a string that is a UUID, such as a596b362-08be-419f-8070-9c3055566e7c",
    "timestamp": "an ISO 8601 date or datetime (UTC if it has no offset), "
    "at most 5 minutes ahead; leave it out for now",
}


def read_message(content: Any, *, at: datetime) -> Content:
    """Read a message that came as JSON at this instant.

    :raises ValidationError: naming each field that is missing or not allowed.
    """
    try:
        return Content(
            uuid=read_uuid(content["uuid"]),
            customer_id=_read_customer_id(content["customerId"]),
            type=_read_type(content["type"]),
            thousandths=_read_amount(content["amount"]),
            timestamp=_read_timestamp(content["timestamp"], at) if "timestamp" in content else at,
            is_timed="timestamp" in content,
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ValidationError(_complaints(content, at)) from error


def _complaints(content: Any, at: datetime) -> dict[str, list[str]]:
    """What is wrong, field by field."""
    if not isinstance(content, Mapping):
        return {"non_field_errors": [f"Not a message; allowed: an object with {_NAMES}."]}
    errors = {}
    for name, read in _READERS.items():
        if name not in content:
            if name != "timestamp":
                errors[name] = [f"Missing; it must be {ALLOWED[name]}."]
            continue
        try:
            read(content[name], at)
        except (ValueError, TypeError):
            errors[name] = [f"Not allowed; allowed: {ALLOWED[name]}."]
    return errors


def read_uuid(value: Any) -> str:
    """The canonical form of a UUID in any of its textual forms.

    :raises ValueError: if it is none, or TypeError if it is no text.
    """
    if CANONICAL_UUID.fullmatch(value):
        return str(value)
    if not ANY_UUID.fullmatch(value):
        raise ValueError(value)
    return str(UUID(value))


def _read_customer_id(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 1.0 is an integer, as JSON Schema has it
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(value)
    if not INT64[0] <= value <= INT64[1]:
        raise ValueError(value)
    return value


def _read_type(value: Any) -> str:
    if len(value) > MAX_TYPE_LENGTH or UNSTORABLE.search(value):
        raise ValueError(value)
    return str(value)


def _read_amount(value: Any) -> int:
    if not AMOUNT.fullmatch(value):
        raise ValueError(value)
    return int(value.replace(".", ""))


def _read_timestamp(value: Any, at: datetime) -> datetime:
    instant = to_instant(value)
    if instant > at + FURTHEST_AHEAD:
        raise ValueError(value)
    return instant


_READERS: dict[str, Callable[[Any, datetime], Any]] = {
    "customerId": lambda value, at: _read_customer_id(value),
    "type": lambda value, at: _read_type(value),
    "amount": lambda value, at: _read_amount(value),
    "uuid": lambda value, at: read_uuid(value),
    "timestamp": _read_timestamp,
}
_NAMES = "customerId, type, amount and uuid"

# The fields of Content as the wire calls them.
WIRE_NAMES = {
    "customer_id": "customerId",
    "type": "type",
    "thousandths": "amount",
    "timestamp": "timestamp",
}


def spoken_message(content: Content) -> dict[str, Any]:
    """A message as it is answered."""
    return {
        "customerId": content.customer_id,
        "type": content.type,
        "amount": spoken_amount(content.thousandths),
        "uuid": content.uuid,
        "timestamp": spoken_instant(content.timestamp),
    }


def spoken_instant(instant: datetime) -> str:
    return instant.isoformat().removesuffix("+00:00") + "Z"
