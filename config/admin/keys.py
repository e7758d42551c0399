"""API keys."""

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from rest_framework_api_key.admin import APIKeyModelAdmin
from rest_framework_api_key.models import APIKey as UnusedApiKey
from unfold.admin import ModelAdmin

from config.models import ApiKey


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    services = forms.MultipleChoiceField(
        choices=[(name, name) for name in settings.KNOWN_SERVICES],
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = ApiKey
        fields = ["name", "services", "sees_personal_data", "expiry_date", "revoked"]


@admin.register(ApiKey)
class ApiKeyAdmin(APIKeyModelAdmin, ModelAdmin):  # type: ignore[misc]
    """Keys are made here, shown once and revoked; never deleted, so that they stay accountable."""

    model = ApiKey
    form = ApiKeyForm
    list_display = ("prefix", "name", "services", "created", "expiry_date", "state")
    list_filter = ("revoked", "sees_personal_data")  # type: ignore[assignment]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


# The library's own model, beside the one that extends it.
admin.site.unregister(UnusedApiKey)
