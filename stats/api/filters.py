import django_filters

from common.api.filters import (
    SinceFilter,
    StrictField,
    StrictFilter,
    UntilFilter,
    WholeNumberFilter,
)
from common.api.parsing import is_storable
from stats.api.validation import MAX_TYPE_LENGTH, TYPE_SCHEMA
from stats.models import Message


class TypeField(StrictField):
    def parse(self, text: str) -> str:
        if len(text) > MAX_TYPE_LENGTH or not is_storable(text):
            raise ValueError(text)
        return text


class TypeFilter(StrictFilter):
    field_class = TypeField
    allowed = f"a message type, up to {MAX_TYPE_LENGTH} characters"
    schema = {**TYPE_SCHEMA, "minLength": 1}


class MessageFilter(django_filters.FilterSet):
    customerId = WholeNumberFilter(field_name="customer_id")  # noqa: N815
    type = TypeFilter()
    timestamp__gte = SinceFilter(field_name="timestamp", lookup_expr="gte")
    timestamp__lte = UntilFilter(field_name="timestamp", lookup_expr="lte")

    class Meta:
        model = Message
        fields: list[str] = []
