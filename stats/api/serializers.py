from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common.api.fields import ChoiceField, DayField, Int64Field
from common.api.parsing import to_whole_number
from stats.api.validation import (
    ALLOWED,
    MAX_TYPE_LENGTH,
    TYPE_SCHEMA,
    format_message,
    parse_message,
)
from stats.models import INTERVALS, Message, MessageData, ReportQuery


@extend_schema_field(TYPE_SCHEMA)
class TypeField(serializers.CharField):
    """The type of a message, which may be empty."""


@extend_schema_field({**TYPE_SCHEMA, "minLength": 1})
class TypeParameter(serializers.CharField):
    """A message type as a query parameter, which must not be empty."""


class MessageSerializer(serializers.Serializer[Any]):
    # ``stats.api.validation`` checks the values. These fields are for OpenAPI and the HTML form.
    customerId = Int64Field(help_text=ALLOWED["customerId"])  # noqa: N815
    type = TypeField(help_text="May be empty.")
    amount = serializers.RegexField(
        r"^[0-9]{1,9}\.[0-9]{3}$", help_text="A decimal with three places."
    )
    uuid = serializers.UUIDField(
        help_text="In any textual form. Responses have the canonical form."
    )
    timestamp = serializers.DateTimeField(
        required=False,
        help_text="When the message was processed; at most 5 minutes in the future (default: now).",
    )

    def to_internal_value(self, data: Any) -> Any:
        """Return the message data.

        :raises ValidationError: with an error for each field that is missing or not allowed.
        """
        if hasattr(data, "getlist"):
            data = _form_to_json(data)
        return parse_message(data, at=timezone.now())

    def to_representation(self, instance: Message | MessageData) -> dict[str, Any]:
        return format_message(instance.data if isinstance(instance, Message) else instance)


def _form_to_json(form: Mapping[str, str]) -> dict[str, Any]:
    """Convert a form's fields to JSON values. A form sends all values as text, also empty ones."""
    message: dict[str, Any] = dict(form.items())
    customer_id = to_whole_number(form.get("customerId", ""))
    if customer_id is not None:
        message["customerId"] = customer_id
    if not message.get("timestamp"):
        message.pop("timestamp", None)
    return message


class BatchConflictSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    uuid = serializers.UUIDField()
    fields = serializers.ListField(  # type: ignore[assignment]
        child=serializers.CharField(), help_text="The fields that differ from the stored message."
    )


class RejectedMessageSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    errors = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField())
    )


class BatchResultSerializer(serializers.Serializer[Any]):
    accepted = serializers.IntegerField(help_text="Number of new messages. They are counted now.")
    duplicates = serializers.IntegerField(help_text="Number of messages that were counted before.")
    conflicts = BatchConflictSerializer(many=True)
    rejected = RejectedMessageSerializer(many=True)


class ReportQuerySerializer(serializers.Serializer[Any]):
    """The query parameters of ``GET /stats``."""

    customerId = Int64Field(  # noqa: N815
        source="customer_id", required=False, help_text="a customer's id, a whole number"
    )
    type = TypeParameter(
        required=False,
        max_length=MAX_TYPE_LENGTH,
        trim_whitespace=False,
        help_text=f"a message type, up to {MAX_TYPE_LENGTH} characters",
    )
    interval = ChoiceField(
        list(INTERVALS),
        required=False,
        help_text=f"{' or '.join(INTERVALS)}, to split the rows",
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        interval = fields.pop("interval")
        # ``from`` cannot be the name of a Python attribute.
        fields["from"] = DayField(
            source="first",
            required=False,
            help_text="the first day (UTC), an ISO 8601 date (2026-01-31)",
        )
        fields["to"] = DayField(
            source="last",
            required=False,
            help_text="the last day (UTC), included; an ISO 8601 date (2026-01-31)",
        )
        return fields | {"interval": interval}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "first" in attrs and "last" in attrs and attrs["first"] > attrs["last"]:
            raise serializers.ValidationError({"from": ["from must not be after to."]})
        return attrs


# The allowed values of each query parameter of ``GET /stats``.
REPORT_PARAMETERS = {
    **{name: str(field.help_text) for name, field in ReportQuerySerializer().fields.items()},
    "format": "json, csv or api",
}


def parse_query(parameters: Mapping[str, str]) -> ReportQuery:
    """Return the report query of these query parameters.

    :raises ValidationError: with an error for each parameter that is not allowed.
    """
    serializer = ReportQuerySerializer(data=parameters)
    serializer.is_valid(raise_exception=True)
    fields = serializer.validated_data
    return ReportQuery(**fields | {"interval": INTERVALS.get(fields.get("interval"))})


class TotalSerializer(serializers.Serializer[Any]):
    """One row of the report."""

    customerId = serializers.IntegerField()  # noqa: N815
    type = serializers.CharField()
    count = serializers.IntegerField()
    totalAmount = serializers.CharField(help_text="A decimal with three places.")  # noqa: N815

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        for name, interval in INTERVALS.items():
            is_date = len(interval.example) == len("2026-01-31")
            field_class = serializers.DateField if is_date else serializers.CharField
            help_text = f"With interval={name}, such as {interval.example}."
            fields[name] = field_class(required=False, help_text=help_text)
        return fields
