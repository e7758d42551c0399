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

MAX_NAMED = 20


@dataclass(frozen=True)
class Eligibility:
    """The rows that an action has something to do with."""

    rows: Q
    what: str  # what they are, in words


def requires_confirmation(
    question: str, about: Eligibility | None = None
) -> Callable[[Action], Action]:
    """Ask this before the action is done to the chosen rows, of those that it is about.

    It is done to those that were asked about; where there may be others by now, it is asked anew.
    """

    def decorate(action: Action) -> Action:
        @wraps(action)
        def asking(self: Any, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
            meant = queryset.filter(about.rows) if about else queryset
            if "confirmed" in request.POST and _are_as_asked(request, meant):
                return action(self, request, meant)
            note = ""
            if about and (left_out := queryset.exclude(about.rows).count()):
                if not meant.exists():
                    told = f"None of those {left_out} {about.what}: nothing was done."
                    self.message_user(request, told, messages.WARNING)
                    return None
                note = f"Left out: {left_out}, of which none {about.what}."
            return _ask(self, request, meant, question, note)

        return asking

    return decorate


def _are_as_asked(request: HttpRequest, meant: QuerySet[Any]) -> bool:
    # Rows beyond the page are chosen anew by each request.
    return not _is_across(request) or request.POST.get("count") == str(meant.count())


def _is_across(request: HttpRequest) -> bool:
    return request.POST.get("select_across") == "1"


def _ask(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[Any], question: str, note: str
) -> TemplateResponse:
    count = queryset.count()
    # Too many to be named one by one; of others, not those that were left out.
    first = request.POST.getlist(helpers.ACTION_CHECKBOX_NAME)[:1]
    chosen = first if _is_across(request) else queryset.values_list("pk", flat=True)
    sent = [(helpers.ACTION_CHECKBOX_NAME, key) for key in chosen]
    sent += [(name, request.POST.get(name, "")) for name in ("action", "select_across", "index")]
    sent.append(("count", count))
    context = model_admin.admin_site.each_context(request) | {
        "title": question,
        "note": note,
        "opts": model_admin.opts,
        "count": count,
        "named": [str(row) for row in queryset[:MAX_NAMED]],
        "more": max(count - MAX_NAMED, 0),
        "sent": sent,
        "back": request.get_full_path(),
    }
    return TemplateResponse(request, "common/admin/confirm.html", context)


def log_change(request: HttpRequest, row: Model, what: str) -> None:
    """Log that the user changed this row. The change itself is already committed."""
    assert request.user.pk is not None
    LogEntry.objects.log_actions(request.user.pk, [row], CHANGE, what, single_object=True)
