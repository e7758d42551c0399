import re
from decimal import Decimal
from typing import Any

from drf_spectacular.drainage import set_override
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from common.api.fields import ChoiceField
from common.api.permissions import sees_personal_data
from repairjobs.models import (
    MAX_JOB_ID,
    MIN_JOB_ID,
    ClientJob,
    JobTransaction,
    Part,
    PartStatus,
    Payment,
    Sms,
    SmsKind,
    SmsState,
)
from repairjobs.services.masking import mask, mask_number

AMOUNT = re.compile(r"[0-9]{1,12}\.[0-9]{2}")


class TextField(serializers.CharField):
    """Text that is not blank and has no NUL, with the same rules as an OpenAPI pattern."""

    # \S would also match a null character.
    pattern = r"^[^\u0000]*[^\s\u0000][^\u0000]*$"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        schema: dict[str, Any] = {"type": "string", "pattern": self.pattern}
        set_override(self, "field", schema | ({"nullable": True} if self.allow_null else {}))

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        text: str = super().to_internal_value(data)
        return text


class ColumnField(TextField):
    """A text column of the client's table: optional, and may be blank or null."""

    pattern = r"^[^\u0000]*$"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            max_length=255, trim_whitespace=False, required=False, allow_null=True, **kwargs
        )

    def run_validation(self, data: Any = empty) -> Any:
        # With allow_blank, drf-spectacular would describe a choice of two patterns.
        return "" if data == "" else super().run_validation(data)


@extend_schema_field({"type": "string", "pattern": r"^[0-9]{1,12}\.[0-9]{2}$"})
class AmountField(serializers.DecimalField):
    """Money as a string with two decimals. JSON numbers are rejected: they may be inexact."""

    default_error_messages = {"invalid": "Must be a string like 120.00."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=14, decimal_places=2, **kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str) or not AMOUNT.fullmatch(data):
            self.fail("invalid")
        return Decimal(data)


class CustomerSerializer(serializers.Serializer[Any]):
    client_firstname = serializers.CharField()
    client_lastname = serializers.CharField()
    client_postcode = serializers.CharField()
    client_mobile = serializers.CharField(help_text="The unchanged text of the client's table.")


class ProductSerializer(serializers.Serializer[Any]):
    product_id = serializers.CharField()
    product_type = serializers.CharField()


class PartSerializer(serializers.ModelSerializer[Part]):
    part_number = TextField(max_length=64)
    name = TextField(max_length=255)
    quantity = serializers.IntegerField(min_value=1, max_value=1_000_000)
    status = serializers.CharField(read_only=True, help_text='A new part has the status "needed".')

    class Meta:
        model = Part
        fields = ["id", "part_number", "name", "quantity", "status"]


class JobPartSerializer(PartSerializer):
    job_id = serializers.CharField(source="job.formatted_id", read_only=True)

    class Meta(PartSerializer.Meta):
        fields = ["job_id", *PartSerializer.Meta.fields]


class PartStatusSerializer(serializers.Serializer[Any]):
    status = ChoiceField(choices=PartStatus.choices)


# Only for OpenAPI: the API returns documents exactly as the document database returns them.
class DocumentSerializer(serializers.Serializer[Any]):
    job_id = serializers.CharField(help_text="At least five digits.")
    job_date = serializers.DateField(help_text="The day (UTC) on which the job was imported.")
    job_type = serializers.CharField()
    job_status = serializers.CharField(
        help_text="NEW, OPENED, IN PROGRESS, JOB COMPLETED or CLOSED. "
        "Any other status comes from the client."
    )
    customer = CustomerSerializer(many=True)
    product = ProductSerializer(many=True)
    paid = serializers.BooleanField()
    parts = PartSerializer(many=True)
    attention = serializers.ListField(
        child=serializers.CharField(), help_text="Problems that a person must check."
    )


class TransactionSerializer(serializers.Serializer[JobTransaction]):
    Job_id = serializers.IntegerField(source="job_id")
    Job_status = serializers.CharField(source="status")
    creationDate = serializers.DateTimeField(source="created_at")  # noqa: N815 (the column)
    Update_note = serializers.CharField(source="note")


class SmsSerializer(serializers.Serializer[Sms]):
    kind = serializers.ChoiceField(choices=SmsKind.choices)
    to = serializers.CharField(
        source="recipient", help_text="In E.164; empty if the job has no usable number."
    )
    text = serializers.CharField()
    state = serializers.ChoiceField(choices=SmsState.choices)
    segments = serializers.IntegerField(help_text="The number of SMS that the provider charges.")
    created_at = serializers.DateTimeField()

    def get_fields(self) -> dict[str, Any]:
        # "from" is a keyword of Python, so it cannot be an attribute of the class.
        return super().get_fields() | {"from": serializers.CharField(source="sender")}

    def to_representation(self, instance: Sms) -> dict[str, Any]:
        content = super().to_representation(instance)
        if not sees_personal_data(self.context["request"]):
            customer_field = "from" if instance.kind == SmsKind.INBOUND else "to"
            content[customer_field] = mask_number(content[customer_field])
            if instance.kind in {SmsKind.INBOUND, SmsKind.PRIVATE}:
                content["text"] = mask(content["text"])  # written by a person
        return content


class PaymentSerializer(serializers.Serializer[Payment]):
    reference = TextField(max_length=200)
    amount = AmountField()
    currency = serializers.RegexField(
        r"^[A-Z]{3}\Z", error_messages={"invalid": "Must be three capital letters."}
    )


class TextSerializer(serializers.Serializer[Any]):
    text = TextField(max_length=1_000)


class ClientJobSerializer(serializers.Serializer[ClientJob]):
    Job_id = serializers.IntegerField(
        source="job_id",
        min_value=MIN_JOB_ID,
        max_value=MAX_JOB_ID,
        required=False,
        help_text="Default: the next free id.",
    )
    Job_type = ColumnField(source="type")
    Job_status = ColumnField(source="status")
    Client_firstname = ColumnField(source="firstname")
    Client_lastname = ColumnField(source="lastname")
    Client_postcode = ColumnField(source="postcode")
    Client_mobile = ColumnField(source="mobile")
    Product_id = ColumnField(source="product_id")
    Product_type = ColumnField(source="product_type")

    def to_representation(self, instance: ClientJob) -> dict[str, Any]:
        content = super().to_representation(instance)
        if not sees_personal_data(self.context["request"]):
            for name in ("Client_firstname", "Client_lastname", "Client_postcode"):
                content[name] = mask(content[name])
            content["Client_mobile"] = mask_number(content["Client_mobile"])
        return content
