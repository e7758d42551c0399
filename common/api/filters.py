"""Strict filters for query parameters. Errors list the allowed values."""

from datetime import date, datetime
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError as InvalidValue
from drf_spectacular.drainage import set_override

from common.api.parsing import must_be, to_day, to_instant, to_whole_number


class StrictField(forms.CharField):
    """The form field of one query parameter. Its help text describes the allowed values."""

    def __init__(self, **kwargs: Any) -> None:
        self.allowed = kwargs["help_text"]
        super().__init__(**kwargs)

    def parse(self, text: str) -> Any:
        """Parse the text of a parameter.

        :raises ValueError: if the text is not allowed.
        """
        raise NotImplementedError

    def clean(self, value: Any) -> Any:
        if value in self.empty_values:
            return None
        try:
            return self.parse(str(value))
        except ValueError as error:
            raise InvalidValue(must_be(self.allowed, value)) from error


class WholeNumberField(StrictField):
    def parse(self, text: str) -> int:
        number = to_whole_number(text)
        if number is None:
            raise ValueError(text)
        return number


class InstantField(StrictField):
    is_upper_bound = False

    def parse(self, text: str) -> datetime:
        return to_instant(text, is_upper_bound=self.is_upper_bound)


class LastInstantField(InstantField):
    is_upper_bound = True


class DayField(StrictField):
    def parse(self, text: str) -> date:
        return to_day(text)


INSTANT_SCHEMA = {
    "anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]
}


class StrictFilter(django_filters.Filter):
    """A filter that describes its allowed values, in errors and in OpenAPI."""

    allowed = ""  # a noun phrase: "Must be {allowed}."
    schema: dict[str, Any] = {"type": "string"}  # OpenAPI

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("help_text", self.allowed)
        super().__init__(*args, **kwargs)
        set_override(self, "field", {**self.schema, "description": self.extra["help_text"]})


class WholeNumberFilter(StrictFilter):
    field_class = WholeNumberField
    allowed = "a whole number of at most 64 bits"
    schema = {"type": "integer", "format": "int64"}


class SinceFilter(StrictFilter):
    field_class = InstantField
    schema = INSTANT_SCHEMA
    allowed = "an ISO 8601 date or datetime (2020-01-31, 2020-01-31T12:00:00Z)"


class UntilFilter(StrictFilter):
    field_class = LastInstantField
    schema = INSTANT_SCHEMA
    allowed = "an ISO 8601 date (2020-01-31, the whole day) or datetime (2020-01-31T12:00:00Z)"


class DayFilter(StrictFilter):
    field_class = DayField
    allowed = "an ISO 8601 date (2020-01-31)"
    schema = {"type": "string", "format": "date"}
