import re
from decimal import Decimal
from typing import Any

from drf_spectacular.drainage import set_override
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from common.api.fields import ChoiceField
from common.api.permissions import sees_personal_data
from repairjobs.masking import masked, masked_number
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

AMOUNT = re.compile(r"[0-9]{1,12}\.[0-9]{2}")


class TextField(serializers.CharField):
    """Text whose description in OpenAPI says all that it refuses."""

    # \S alone would match a null character.
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


class AnyTextField(TextField):
    """Text that may be blank; ``allow_blank`` would be described as a choice of two patterns."""

    pattern = r"^[^\u0000]*$"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, required=False, allow_null=True, **kwargs)

    def run_validation(self, data: Any = empty) -> Any:
        return "" if data == "" else super().run_validation(data)


@extend_schema_field({"type": "string", "pattern": r"^[0-9]{1,12}\.[0-9]{2}$"})
class AmountField(serializers.DecimalField):
    """Money as a string with two decimals; a number of JSON's need not be exact."""

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
    client_mobile = serializers.CharField(help_text="As the client spells it.")


class ProductSerializer(serializers.Serializer[Any]):
    product_id = serializers.CharField()
    product_type = serializers.CharField()


class PartSerializer(serializers.ModelSerializer[Part]):
    part_number = TextField(max_length=64)
    name = TextField(max_length=255)
    quantity = serializers.IntegerField(min_value=1, max_value=1_000_000)
    status = serializers.CharField(read_only=True, help_text="needed when it is new.")

    class Meta:
        model = Part
        fields = ["id", "part_number", "name", "quantity", "status"]


class JobPartSerializer(PartSerializer):
    job_id = serializers.CharField(source="job.spoken_id", read_only=True)

    class Meta(PartSerializer.Meta):
        fields = ["job_id", *PartSerializer.Meta.fields]


class PartMoveSerializer(serializers.Serializer[Any]):
    status = ChoiceField(choices=PartStatus.choices)


class DocumentSerializer(serializers.Serializer[Any]):
    job_id = serializers.CharField(help_text="At least five digits.")
    job_date = serializers.DateField(help_text="The day it was taken over (UTC).")
    job_type = serializers.CharField()
    job_status = serializers.CharField(
        help_text="NEW, OPENED, IN PROGRESS, JOB COMPLETED or CLOSED; "
        "another one only if the client has another one."
    )
    customer = CustomerSerializer(many=True)
    product = ProductSerializer(many=True)
    paid = serializers.BooleanField()
    parts = PartSerializer(many=True)
    attention = serializers.ListField(
        child=serializers.CharField(), help_text="What a person must look at."
    )


class TransactionSerializer(serializers.ModelSerializer[JobTransaction]):
    Job_id = serializers.IntegerField(source="job_id")
    Job_status = serializers.CharField(source="status")
    creationDate = serializers.DateTimeField(source="created_at")  # noqa: N815 (the column)
    Update_note = serializers.CharField(source="note")

    class Meta:
        model = JobTransaction
        fields = ["Job_id", "Job_status", "creationDate", "Update_note"]


class SmsSerializer(serializers.Serializer[Sms]):
    kind = serializers.ChoiceField(choices=SmsKind.choices)
    to = serializers.CharField(source="recipient", help_text="E.164; empty if there is none.")
    text = serializers.CharField()
    state = serializers.ChoiceField(choices=SmsState.choices)
    segments = serializers.IntegerField(help_text="The SMS that it is carried, and paid, as.")
    created_at = serializers.DateTimeField()

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        # "from" is a word of Python's, too.
        fields["from"] = serializers.CharField(source="sender")
        return fields

    def to_representation(self, instance: Sms) -> dict[str, Any]:
        shown = super().to_representation(instance)
        if not sees_personal_data(self.context["request"]):
            theirs = "from" if instance.kind == SmsKind.INBOUND else "to"
            shown[theirs] = masked_number(shown[theirs])
            if instance.kind in {SmsKind.INBOUND, SmsKind.PRIVATE}:
                shown["text"] = masked(shown["text"])  # a person's own words
        return shown


class PaymentSerializer(serializers.Serializer[Payment]):
    reference = TextField(max_length=200)
    amount = AmountField()
    currency = serializers.RegexField(
        r"^[A-Z]{3}\Z", error_messages={"invalid": "Must be three capital letters."}
    )


class TextSerializer(serializers.Serializer[Any]):
    text = TextField(max_length=1_000)


class DeliverySerializer(serializers.Serializer[Any]):
    message_uuid = TextField(max_length=64)
    status = TextField(max_length=32)
    client_ref = AnyTextField(max_length=100)
    error = serializers.DictField(required=False, allow_null=True)


class InboundSerializer(serializers.Serializer[Any]):
    message_uuid = TextField(max_length=64)
    to = TextField(max_length=64)
    text = AnyTextField(max_length=10_000)

    def get_fields(self) -> dict[str, Any]:
        return super().get_fields() | {"from": TextField(max_length=64)}


def _column(name: str) -> AnyTextField:
    return AnyTextField(source=name, max_length=255)


class ClientJobSerializer(serializers.ModelSerializer[ClientJob]):
    Job_id = serializers.IntegerField(
        source="job_id",
        min_value=MIN_JOB_ID,
        max_value=MAX_JOB_ID,
        required=False,
        help_text="The next one when left out.",
    )
    Job_type = _column("type")
    Job_status = _column("status")
    Client_firstname = _column("firstname")
    Client_lastname = _column("lastname")
    Client_postcode = _column("postcode")
    Client_mobile = _column("mobile")
    Product_id = _column("product_id")
    Product_type = _column("product_type")

    class Meta:
        model = ClientJob
        fields = [
            "Job_id",
            "Job_type",
            "Job_status",
            "Client_firstname",
            "Client_lastname",
            "Client_postcode",
            "Client_mobile",
            "Product_id",
            "Product_type",
        ]

    def to_representation(self, instance: ClientJob) -> dict[str, Any]:
        shown = super().to_representation(instance)
        if not sees_personal_data(self.context["request"]):
            for name in ("Client_firstname", "Client_lastname", "Client_postcode"):
                shown[name] = masked(shown[name])
            shown["Client_mobile"] = masked_number(shown["Client_mobile"])
        return shown
