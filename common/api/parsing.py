"""What query parameters mean, and how to refuse them; needs no view."""

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
CURSOR_TEXT = "the value that the Link header of the page before gave"


def parse_limit(sent: str | None) -> int:
    if sent is None:
        return DEFAULT_LIMIT
    if sent.isascii() and sent.isdigit() and len(sent) < 9 and 1 <= int(sent) <= MAX_LIMIT:
        return int(sent)
    raise ValidationError({"limit": [f"Not allowed; allowed: {LIMIT_TEXT}."]})


def check_parameters(sent: QueryDict, known: Mapping[str, str]) -> None:
    """Refuse what is unknown, empty or given twice. ``known`` maps names to what is allowed.

    :raises ValidationError: naming each parameter, and the known one that is nearest to it.
    """
    known = {"cursor": CURSOR_TEXT, "format": "json or api", "limit": LIMIT_TEXT, **known}
    errors = {}
    for name, values in sent.lists():
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            errors[name] = [
                f"Unknown parameter; did you mean {nearest}? Known: {', '.join(sorted(known))}."
            ]
        elif len(values) > 1:
            errors[name] = [f"Given {len(values)} times; allowed: once, {known[name]}."]
        elif "\ufffd" in values[0]:
            errors[name] = [f"Not UTF-8; allowed: {known[name]}."]
        elif values[0] == "":
            errors[name] = [f"Empty; leave it out, or give {known[name]}."]
    if errors:
        raise ValidationError(errors)
    parse_limit(sent.get("limit"))


def is_storable(text: str) -> bool:
    """Whether every store can hold this text: no NUL, no lone surrogate."""
    return not UNSTORABLE.search(text)


def to_whole_number(text: str) -> int | None:
    """The number that this text plainly spells, within signed 64 bits; else None."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        return None
    number = int(text)
    return number if INT64[0] <= number <= INT64[1] else None


def to_day(text: str) -> date:
    """Read an ISO 8601 date.

    :raises ValueError: if it is none.
    """
    if not DAY.fullmatch(text):
        raise ValueError("not a date")
    return date.fromisoformat(text)


def to_instant(text: str, *, is_upper_bound: bool = False) -> datetime:
    """Read an ISO 8601 date or datetime as a UTC instant.

    Without an offset it is UTC. A date stands for its first instant, or as an upper bound for
    its last one, so that the whole day belongs to the interval.

    :raises ValueError: if it is neither, or lies outside the years 1 to 9999 in UTC.
    """
    if DAY.fullmatch(text):
        bound = time.max if is_upper_bound else time.min
        instant = datetime.combine(date.fromisoformat(text), bound)
    elif INSTANT.fullmatch(text):
        # An unescaped "+" arrives as a blank.
        instant = datetime.fromisoformat(f"{text[:10]}T{text[11:].replace(' ', '+')}")
    else:
        raise ValueError("neither a date nor a datetime")
    if instant.tzinfo is None:
        return instant.replace(tzinfo=UTC)
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("outside the years 1 to 9999") from error
