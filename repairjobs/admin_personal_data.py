"""Base classes for admin lists of rows with personal data."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from common.admin import ReadOnlyAdmin
from common.service import personal_data_permissions
from repairjobs.integrations.phone_numbers import normalize_number


def sees_personal_data(request: HttpRequest) -> bool:
    """Return whether the user sees names and phone numbers unmasked."""
    return bool(request.user.has_perms(personal_data_permissions()))


class PersonalDataAdmin(ReadOnlyAdmin):
    """Rows with personal data. Users without the permission for it see masked values."""

    # The fields with personal data, each with the function that masks it.
    masks: ClassVar[Mapping[str, Callable[[str | None], str]]]

    def __init_subclass__(cls) -> None:
        for name, mask in cls.masks.items():
            setattr(cls, f"masked_{name}", _masked_column(name, mask))

    def get_list_display(self, request: HttpRequest) -> list[str]:
        return self._visible_names(super().get_list_display(request), request)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[list[str]]:
        lines = super().get_fields(request, obj)
        return [
            self._visible_names(line if isinstance(line, tuple) else [line], request)
            for line in lines
        ]

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        names = super().get_search_fields(request)
        if sees_personal_data(request):
            return list(names)
        return [name for name in names if name.removeprefix("=") not in self.masks]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        # The results of a filter in the URL would reveal masked values.
        if lookup.partition("__")[0] in self.masks and not sees_personal_data(request):
            return False
        return bool(super().lookup_allowed(lookup, value, request))

    def _visible_names(self, names: Iterable[str], request: HttpRequest) -> list[str]:
        if sees_personal_data(request):
            return list(names)
        return [f"masked_{name}" if name in self.masks else name for name in names]


def _masked_column(name: str, mask: Callable[[str | None], str]) -> Callable[..., str]:
    @admin.display(description=name)
    def column(self: PersonalDataAdmin, row: Model) -> str:
        return mask(getattr(row, name))

    return column


class PhoneNumberAdmin(ReadOnlyAdmin):
    """Rows with phone numbers in E.164. The search finds a number in any usual format."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        rows, _ = super().get_search_results(request, queryset, search_term)
        number = normalize_number(search_term)
        if number:
            rows |= super().get_search_results(request, queryset, number)[0]
        return rows, False
