"""Admin actions that ask for confirmation and are logged."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.admin import helpers
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

Action = Callable[[Any, HttpRequest, QuerySet[Any]], Any]

MAX_ROW_NAMES = 20


@dataclass(frozen=True)
class Eligibility:
    """The rows that an action applies to."""

    rows: Q
    description: str  # completes "This action applies only to …"


def requires_confirmation(
    question: str, about: Eligibility | None = None
) -> Callable[[Action], Action]:
    """Show a confirmation page before an admin action runs.

    The action gets only the eligible rows. If their number changes while the user reads the page,
    the page is shown again.
    """

    def decorate(action: Action) -> Action:
        @wraps(action)
        def confirm_first(self: Any, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
            eligible = queryset.filter(about.rows) if about else queryset
            if "confirmed" in request.POST and _is_unchanged(request, eligible):
                return action(self, request, eligible)
            note = ""
            if about and (excluded := queryset.exclude(about.rows).count()):
                scope = f"This action applies only to {about.description}."
                if not eligible.exists():
                    self.message_user(request, f"Nothing was done. {scope}", messages.WARNING)
                    return None
                note = f"Selected rows that are left out: {excluded}. {scope}"
            return _confirmation_page(self, request, eligible, question, note)

        return confirm_first

    return decorate


def _is_unchanged(request: HttpRequest, eligible: QuerySet[Any]) -> bool:
    # "Select all" selects the rows again in the second request.
    return not _selects_all(request) or request.POST.get("count") == str(eligible.count())


def _selects_all(request: HttpRequest) -> bool:
    return request.POST.get("select_across") == "1"


def _confirmation_page(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[Any], question: str, note: str
) -> TemplateResponse:
    count = queryset.count()
    # "Select all" needs one key only. Otherwise send the keys of the eligible rows.
    first = request.POST.getlist(helpers.ACTION_CHECKBOX_NAME)[:1]
    keys = first if _selects_all(request) else queryset.values_list("pk", flat=True)
    hidden_fields = [(helpers.ACTION_CHECKBOX_NAME, key) for key in keys]
    hidden_fields += [
        (name, request.POST.get(name, "")) for name in ("action", "select_across", "index")
    ]
    hidden_fields.append(("count", count))
    context = model_admin.admin_site.each_context(request) | {
        "title": question,
        "note": note,
        "opts": model_admin.opts,
        "count": count,
        "row_names": [str(row) for row in queryset[:MAX_ROW_NAMES]],
        "more_count": max(count - MAX_ROW_NAMES, 0),
        "hidden_fields": hidden_fields,
        "back_url": request.get_full_path(),
    }
    return TemplateResponse(request, "common/admin/confirm.html", context)


def log_change(request: HttpRequest, row: Model, message: str) -> None:
    """Add the user's change of this row to the admin's log. The change is already committed."""
    assert request.user.pk is not None
    LogEntry.objects.log_actions(request.user.pk, [row], CHANGE, message, single_object=True)
