"""API keys in the admin."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest
from rest_framework_api_key.admin import APIKeyModelAdmin
from rest_framework_api_key.models import APIKey as UnusedApiKey

from common.admin.base import BaseAdmin
from common.api_keys.models import ApiKey


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    services = forms.MultipleChoiceField(
        choices=[(name, name) for name in settings.KNOWN_SERVICES],
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = ApiKey
        fields = ["name", "services", "sees_personal_data", "expiry_date", "revoked"]


@admin.register(ApiKey)
class ApiKeyAdmin(APIKeyModelAdmin, BaseAdmin):
    """Keys are created, shown once and revoked. They are never deleted."""

    model = ApiKey
    form = ApiKeyForm
    list_display = ("prefix", "name", "service_names", "created", "expiry_date", "state")
    list_filter = ("revoked", "sees_personal_data")  # type: ignore[assignment]

    @admin.display(description="Services")
    def service_names(self, key: ApiKey) -> str:
        return ", ".join(key.services)

    def save_model(
        self, request: HttpRequest, obj: Any, form: Any = None, change: bool = False
    ) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        key = ApiKey.objects.assign_key(obj)
        obj.save()
        # The key ends the message without a full stop, so that it is easy to copy.
        message = f"Copy the key of {obj.name} now. It is not shown again: {key}"
        self.message_user(request, message, messages.WARNING)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


# The library's own model; ApiKey replaces it.
admin.site.unregister(UnusedApiKey)
