from typing import Any

from rest_framework import serializers

from config.api.parsing import INT64


class ChoiceField(serializers.ChoiceField):
    """DRF's, but a refusal says what is allowed."""

    def __init__(self, choices: Any, **kwargs: Any) -> None:
        super().__init__(choices, **kwargs)
        *others, last = (str(choice) for choice in self.choices)
        allowed = f"{', '.join(others)} or {last}"
        self.error_messages["invalid_choice"] = f"Not allowed; allowed: {allowed}."


class Int64Field(serializers.IntegerField):
    """A whole number that every store can hold."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": INT64[0], "max_value": INT64[1]} | kwargs)
