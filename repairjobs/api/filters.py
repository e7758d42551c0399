from types import SimpleNamespace
from typing import Any

import django_filters
from django import forms
from django.template.loader import render_to_string
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

from common.api.filters import StrictField, StrictFilter
from repairjobs.models import JobStatus, PartStatus, normalize_status


class PartStatusField(StrictField):
    def parse(self, text: str) -> str:
        return PartStatus(text).value


class PartStatusFilter(StrictFilter):
    field_class = PartStatusField
    allowed = "needed, ordered, received or fitted"
    schema = {"type": "string", "enum": PartStatus.values}


class PartFilter(django_filters.FilterSet):
    status = PartStatusFilter()


STATUS_TEXT = "NEW, OPENED, IN PROGRESS, JOB COMPLETED or CLOSED, in any case"
ATTENTION_TEXT = "true or false"


def parse_status(text: str) -> str:
    """
    :raises ValueError:
    """
    return JobStatus(normalize_status(text)).value


def parse_attention(text: str) -> bool:
    """
    :raises ValueError:
    """
    return {"true": True, "false": False}[text]


class DocumentForm(forms.Form):
    """What documents can be asked for by."""

    status = forms.ChoiceField(required=False, choices=[("", "any"), *JobStatus.choices])
    attention = forms.ChoiceField(
        required=False, choices=[("", "any"), ("true", "true"), ("false", "false")]
    )


class DocumentFilterForm(BaseFilterBackend):
    """A form for people; documents are found by their own store, which is no queryset."""

    def filter_queryset(self, request: Request, queryset: Any, view: Any) -> Any:
        return queryset

    def to_html(self, request: Request, queryset: Any, view: Any) -> str:
        form = SimpleNamespace(form=DocumentForm(request.query_params or None))
        return render_to_string("django_filters/rest_framework/form.html", {"filter": form})
