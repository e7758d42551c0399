"""Fields of bodies and reports that take what is plainly meant, and nothing else."""

from datetime import date, datetime
from typing import Any

from rest_framework import serializers

from common.api.parsing import INT64, to_day, to_instant, to_whole_number


class Int64Field(serializers.IntegerField):
    """A whole number that every store can hold."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": INT64[0], "max_value": INT64[1]} | kwargs)

    def to_internal_value(self, data: Any) -> int:
        number = to_whole_number(data) if isinstance(data, str) else data
        if not isinstance(number, int) or isinstance(number, bool):
            self.fail("invalid")
        return number


class ChoiceField(serializers.ChoiceField):
    """DRF's, but a refusal says what is allowed."""

    def __init__(self, choices: Any, **kwargs: Any) -> None:
        super().__init__(choices, **kwargs)
        *others, last = (str(choice) for choice in self.choices)
        allowed = f"{', '.join(others)} or {last}"
        self.error_messages["invalid_choice"] = f"Not allowed; allowed: {allowed}."


class InstantField(serializers.DateTimeField):
    """An ISO 8601 datetime, read as UTC where it has no offset; answered in UTC."""

    default_error_messages = {
        "invalid": "Not allowed; allowed: an ISO 8601 datetime (2020-01-31T12:00:00Z)."
    }

    def to_internal_value(self, value: Any) -> datetime:
        try:
            return to_instant(value)
        except (TypeError, ValueError):
            self.fail("invalid")


class DayField(serializers.DateField):
    """An ISO 8601 date."""

    default_error_messages = {"invalid": "Not allowed; allowed: an ISO 8601 date (2020-01-31)."}

    def to_internal_value(self, value: Any) -> date:
        try:
            return to_day(value)
        except (TypeError, ValueError):
            self.fail("invalid")
