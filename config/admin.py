from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_permission_codename
from django.db.models import Model
from django.http import HttpRequest
from rest_framework_api_key.admin import APIKeyModelAdmin
from rest_framework_api_key.models import APIKey as UnusedApiKey
from unfold.admin import ModelAdmin

from config.models import ApiKey


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]
    """Rows to look at; nothing is added, changed or deleted by hand."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_settle_permission(self, request: HttpRequest) -> bool:
        """Whether its actions are allowed: to whoever may change such rows elsewhere."""
        codename = get_permission_codename("change", self.opts)
        return bool(request.user.has_perm(f"{self.opts.app_label}.{codename}"))


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
