from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common.api.fields import ChoiceField, DayField, Int64Field
from common.api.parsing import to_whole_number
from stats.api.validation import ALLOWED, MAX_TYPE_LENGTH, TYPE_SCHEMA, read_message, spoken_message
from stats.models import Interval, Message
from stats.services.bulk_insert import Content


@extend_schema_field(TYPE_SCHEMA)
class TypeField(serializers.CharField):
    """A message's type, which may be empty."""


@extend_schema_field({**TYPE_SCHEMA, "minLength": 1})
class TypeParameter(serializers.CharField):
    """A message type that is asked for."""


class MessageSerializer(serializers.Serializer[Any]):
    """A message's fields for documents and forms; what they must be is in ``rules``."""

    customerId = Int64Field(help_text=ALLOWED["customerId"])  # noqa: N815
    type = TypeField(help_text="May be empty.")
    amount = serializers.RegexField(
        r"^[0-9]{1,9}\.[0-9]{3}$", help_text="A decimal with three places."
    )
    uuid = serializers.UUIDField(help_text="In any textual form; answered in the canonical one.")
    timestamp = serializers.DateTimeField(
        required=False,
        help_text="When the message was processed; at most 5 minutes ahead (default: now).",
    )

    def to_internal_value(self, data: Any) -> Any:
        """Read a message that comes now.

        :raises ValidationError: naming each field that is missing or not allowed.
        """
        if hasattr(data, "getlist"):
            data = _read_form(data)
        return read_message(data, at=timezone.now())

    def to_representation(self, instance: Content | Message) -> dict[str, Any]:
        if isinstance(instance, Message):
            instance = Content(
                str(instance.uuid),
                instance.customer_id,
                instance.type,
                instance.amount_thousandths,
                instance.timestamp,
            )
        return spoken_message(instance)


def _read_form(form: Mapping[str, str]) -> dict[str, Any]:
    """A form's fields as JSON would have them: it knows only text, and leaves nothing out."""
    message: dict[str, Any] = {name: form[name] for name in form}
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
        child=serializers.CharField(), help_text="What differs from the message that is stored."
    )


class RejectedSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    errors = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField())
    )


class BatchResultSerializer(serializers.Serializer[Any]):
    accepted = serializers.IntegerField(help_text="New messages, now counted.")
    duplicates = serializers.IntegerField(help_text="Messages that were counted before.")
    conflicts = BatchConflictSerializer(many=True)
    rejected = RejectedSerializer(many=True)


class QuestionSerializer(serializers.Serializer[Any]):
    """The parameters of ``GET /stats``; ``from`` is no name for a Python attribute."""

    customerId = Int64Field(  # noqa: N815
        source="customer_id", required=False, help_text="a customer's id, a whole number"
    )
    type = TypeParameter(
        required=False,
        max_length=MAX_TYPE_LENGTH,
        trim_whitespace=False,
        help_text=f"a message type, up to {MAX_TYPE_LENGTH} characters",
    )
    first = DayField(required=False, help_text="the first day (UTC), an ISO 8601 date (2026-01-31)")
    last = DayField(
        required=False, help_text="the last day (UTC), which belongs to it; an ISO 8601 date"
    )
    interval = ChoiceField(
        Interval.values, required=False, help_text="day or month, to split the rows by"
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        fields["from"], fields["to"] = fields.pop("first"), fields.pop("last")
        return fields

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "from" in attrs and "to" in attrs and attrs["from"] > attrs["to"]:
            raise serializers.ValidationError(
                {"from": ["After `to`; allowed: the same day or one before it."]}
            )
        return attrs


def read_question(parameters: Mapping[str, str]) -> dict[str, Any]:
    """What is asked for.

    :raises ValidationError: naming each parameter that is not allowed.
    """
    question = QuestionSerializer(data=parameters)
    question.is_valid(raise_exception=True)
    asked: dict[str, Any] = question.validated_data
    return asked


class TotalSerializer(serializers.Serializer[Any]):
    customerId = serializers.IntegerField()  # noqa: N815
    type = serializers.CharField()
    day = serializers.DateField(required=False, help_text="With interval=day.")
    month = serializers.CharField(required=False, help_text="With interval=month.")
    count = serializers.IntegerField()
    totalAmount = serializers.CharField(help_text="A decimal with three places.")  # noqa: N815
