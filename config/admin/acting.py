"""What a person does in the admin: asked first, and on record afterwards."""

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

MOST_NAMED = 20


@dataclass(frozen=True)
class About:
    """The rows that an action has something to do with."""

    rows: Q
    what: str  # that they do, in words


def confirmed(question: str, about: About | None = None) -> Callable[[Action], Action]:
    """Ask this before the action is done to the chosen rows, of those that it is about."""

    def decorate(action: Action) -> Action:
        @wraps(action)
        def asking(self: Any, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
            if "confirmed" in request.POST:
                return action(self, request, queryset)
            if about is None:
                return _ask(self, request, queryset, question, note="")
            meant = queryset.filter(about.rows)
            left_out = queryset.exclude(about.rows).count()
            if left_out and not meant.exists():
                told = f"None of those {left_out} {about.what}: nothing was done."
                self.message_user(request, told, messages.WARNING)
                return None
            note = f"Left out: {left_out} of which none {about.what}." if left_out else ""
            return _ask(self, request, meant, question, note)

        return asking

    return decorate


def _ask(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[Any], question: str, note: str
) -> TemplateResponse:
    chosen = request.POST.getlist(helpers.ACTION_CHECKBOX_NAME)
    # What is sent again as it came; the rows beyond this page are chosen by select_across.
    sent = [(helpers.ACTION_CHECKBOX_NAME, key) for key in chosen]
    sent += [(name, request.POST.get(name, "")) for name in ("action", "select_across", "index")]
    count = queryset.count()
    context = model_admin.admin_site.each_context(request) | {
        "title": question,
        "note": note,
        "opts": model_admin.opts,
        "count": count,
        "named": [str(row) for row in queryset[:MOST_NAMED]],
        "more": max(count - MOST_NAMED, 0),
        "sent": sent,
        "back": request.get_full_path(),
    }
    return TemplateResponse(request, "config/admin/confirm.html", context)


def record(request: HttpRequest, row: Model, what: str) -> None:
    """Put on record who did this to a row; it has happened already, in the row's own store."""
    assert request.user.pk is not None
    LogEntry.objects.log_actions(request.user.pk, [row], CHANGE, what, single_object=True)
