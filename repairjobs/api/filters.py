from typing import Any

import django_filters
from django import forms

from common.api.filters import StrictField, StrictFilter
from repairjobs.models import JobStatus, PartStatus, normalize_status


class JobStatusField(StrictField):
    def parse(self, text: str) -> str:
        return JobStatus(normalize_status(text)).value


class JobStatusFilter(StrictFilter):
    field_class = JobStatusField
    allowed = "NEW, OPENED, IN PROGRESS, JOB COMPLETED or CLOSED, in any case"
    schema = {"type": "string", "enum": JobStatus.values}


class BooleanField(StrictField):
    def parse(self, text: str) -> bool:
        if text not in {"true", "false"}:
            raise ValueError(text)
        return text == "true"


class BooleanFilter(StrictFilter):
    field_class = BooleanField
    allowed = "true or false"
    schema = {"type": "boolean"}


class PartStatusField(StrictField):
    def parse(self, text: str) -> str:
        return PartStatus(text).value


class PartStatusFilter(StrictFilter):
    field_class = PartStatusField
    allowed = "needed, ordered, received or fitted"
    schema = {"type": "string", "enum": PartStatus.values}


def _select(*values: str) -> Any:
    return forms.Select(choices=[("", "any"), *((value, value) for value in values)])


class DocumentFilter(django_filters.FilterSet):
    """The filters of job documents. The document store applies them, not a queryset."""

    status = JobStatusFilter(widget=_select(*JobStatus.values))
    attention = BooleanFilter(widget=_select("true", "false"))


class PartFilter(django_filters.FilterSet):
    status = PartStatusFilter(widget=_select(*PartStatus.values))
