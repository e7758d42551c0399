"""Strict serializer fields."""

from datetime import date, datetime
from typing import Any, NoReturn

from rest_framework import serializers

from common.api.parsing import INT64, must_be, to_day, to_instant, to_whole_number


class Int64Field(serializers.IntegerField):
    """A whole number of signed 64 bits."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": INT64[0], "max_value": INT64[1]} | kwargs)

    def to_internal_value(self, data: Any) -> int:
        number = to_whole_number(data) if isinstance(data, str) else data
        if not isinstance(number, int) or isinstance(number, bool):
            self.fail("invalid")
        return number


class ChoiceField(serializers.ChoiceField):
    """A choice field whose error lists the allowed values: "1 (booking) or 2 (cancellation)"."""

    def fail(self, key: str, **kwargs: Any) -> NoReturn:
        if key != "invalid_choice":
            super().fail(key, **kwargs)
        *others, last = (_describe(value, label) for value, label in self.choices.items())
        allowed = f"{', '.join(others)} or {last}"
        raise serializers.ValidationError(must_be(allowed, kwargs["input"]), code=key)


def _describe(value: Any, label: str) -> str:
    return f"{value} ({label.lower()})" if isinstance(value, int) else str(value)


class InstantField(serializers.DateTimeField):
    """An ISO 8601 datetime. Without an offset it is UTC; output is always UTC."""

    default_error_messages = {"invalid": must_be("an ISO 8601 datetime (2020-01-31T12:00:00Z)")}

    def to_internal_value(self, value: Any) -> datetime:
        try:
            return to_instant(value)
        except (TypeError, ValueError):
            self.fail("invalid")


class DayField(serializers.DateField):
    """An ISO 8601 date."""

    default_error_messages = {"invalid": must_be("an ISO 8601 date (2020-01-31)")}

    def to_internal_value(self, value: Any) -> date:
        try:
            return to_day(value)
        except (TypeError, ValueError):
            self.fail("invalid")
