"""Parse query parameters and other text from callers, and write the error messages."""

import difflib
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time

from django.http import QueryDict
from rest_framework.exceptions import ValidationError

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
INT64 = (-(2**63), 2**63 - 1)
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
INSTANT = re.compile(
    DAY.pattern
    + r"[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?(Z|[+ -][0-9]{2}(:?[0-9]{2})?)?"
)
DEFAULT_LIMIT, MAX_LIMIT = 1_000, 10_000
LIMIT_TEXT = f"a whole number from 1 to {MAX_LIMIT} (default {DEFAULT_LIMIT})"
CURSOR_TEXT = "the cursor from the Link header of the previous page"
MAX_REPEATED_LENGTH = 40


def must_be(allowed: str, value: object = None) -> str:
    """Return the error message for a value: "Must be 1 or 2, not 3." Long values are left out."""
    text = "" if value is None else str(value)
    if not 0 < len(text) <= MAX_REPEATED_LENGTH or not text.isprintable():
        return f"Must be {allowed}."
    return f"Must be {allowed}, not {text}."


def parse_limit(text: str | None) -> int:
    """Parse the page size.

    :raises ValidationError: if the page size is not allowed.
    """
    if text is None:
        return DEFAULT_LIMIT
    if text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= MAX_LIMIT:
        return int(text)
    raise ValidationError({"limit": [must_be(LIMIT_TEXT, text)]})


def check_parameters(query: QueryDict, known: Mapping[str, str]) -> None:
    """Check that every parameter is known, not empty and given once.

    :param known: the names of the parameters, each with a description of the allowed values.
    :raises ValidationError: with a message for each wrong parameter.
    """
    known = {"cursor": CURSOR_TEXT, "format": "json or api", "limit": LIMIT_TEXT, **known}
    errors = {}
    for name, values in query.lists():
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            errors[name] = [
                f"Unknown parameter. Did you mean {nearest}? Known: {', '.join(sorted(known))}."
            ]
        elif len(values) > 1:
            errors[name] = [f"Given {len(values)} times. Give it once: {known[name]}."]
        elif "\ufffd" in values[0]:
            errors[name] = [f"Must be UTF-8: {known[name]}."]
        elif values[0] == "":
            errors[name] = [f"Must not be empty. Omit it, or give {known[name]}."]
    if errors:
        raise ValidationError(errors)
    parse_limit(query.get("limit"))


def is_storable(text: str) -> bool:
    """Return whether every database can store this text: no NUL and no lone surrogate."""
    return not UNSTORABLE.search(text)


def to_whole_number(text: str) -> int | None:
    """Return the number, or None if the text is not a decimal integer of signed 64 bits."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        return None
    number = int(text)
    return number if INT64[0] <= number <= INT64[1] else None


def to_day(text: str) -> date:
    """Parse an ISO 8601 date.

    :raises ValueError: if the text is not a date.
    """
    if not DAY.fullmatch(text):
        raise ValueError("not a date")
    return date.fromisoformat(text)


def to_instant(text: str, *, is_upper_bound: bool = False) -> datetime:
    """Parse an ISO 8601 date or datetime as an instant in UTC.

    A datetime without an offset is UTC. A date means its first instant. As an upper bound, it means
    its last instant, so that an interval includes the whole day.

    :raises ValueError: if the text is neither, or is outside the years 1 to 9999 in UTC.
    """
    if DAY.fullmatch(text):
        bound = time.max if is_upper_bound else time.min
        instant = datetime.combine(date.fromisoformat(text), bound)
    elif INSTANT.fullmatch(text):
        # An unescaped "+" in a query arrives as a space.
        instant = datetime.fromisoformat(f"{text[:10]}T{text[11:].replace(' ', '+')}")
    else:
        raise ValueError("neither a date nor a datetime")
    if instant.tzinfo is None:
        return instant.replace(tzinfo=UTC)
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("outside the years 1 to 9999") from error
