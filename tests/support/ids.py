"""Readable ids for parametrised tests."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

MAX_LENGTH = 30
PLAIN_TYPES = (str, bytes, int, float, bool, type(None), list, tuple)


def readable(value: Any) -> str:
    """Return an id for a parameter; pytest would only number a dict or a list.

    For the ``ids`` of ``pytest.mark.parametrize``.
    """
    if isinstance(value, Mapping):
        return " ".join(f"{name}={readable(item)}" for name, item in value.items()) or "empty"
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, type):
        return value.__name__
    if not isinstance(value, PLAIN_TYPES):
        # Not the repr, which may contain an address: ids must be the same in every process.
        return type(value).__name__
    text = value if isinstance(value, str) and value.isprintable() else repr(value)
    return text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}... {len(text)} characters"
