from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import capfirst

from common.admin import ReadOnlyAdmin, StrictChoiceFilter, log_change, requires_confirmation
from dashboard.models import (
    Counts,
    DailyTotal,
    DailyTotalQuerySet,
    DateBasis,
    Event,
    Ingestion,
    RejectedEvent,
)
from dashboard.services.rejected_events import RetryOutcome, retry_rejected_event


class DateBasisFilter(StrictChoiceFilter):
    """Shows one date basis at a time, because each event is counted once in both."""

    title = "date basis"
    parameter_name = "date_basis"
    horizontal = True

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, capfirst(label)) for value, label in reversed(DateBasis.choices)]

    def value(self) -> str:
        return super().value() or DateBasis.BOOKING_DATE

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        _all, *date_bases = super().choices(changelist)
        yield from date_bases

    def queryset(self, request: HttpRequest, queryset: Any) -> DailyTotalQuerySet:
        totals: DailyTotalQuerySet = queryset
        return totals.by(self.value())


@admin.register(DailyTotal)
class DailyTotalAdmin(ReadOnlyAdmin):
    list_display = ["day", "hotel_id", "date_basis", *Counts._fields]
    list_filter = [DateBasisFilter]
    list_before_template = "dashboard/admin/date_basis_filter.html"
    search_fields = ["=hotel_id"]
    search_help_text = "Id of a hotel"
    date_hierarchy = "day"
    ordering = ["-day", "-date_basis", "hotel_id"]


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    # No date hierarchy: it needs an index, which would slow down the insertion of every event.
    list_display = ["id", "hotel_id", "timestamp", "rpg_status", "night_of_stay"]
    list_filter = ["rpg_status"]
    search_fields = ["=id"]
    search_help_text = "Id of an event"
    ordering = ["-id"]


@admin.register(RejectedEvent)
class RejectedEventAdmin(ReadOnlyAdmin):
    list_display = ["rejected_at", "reason", "content"]
    search_fields = ["content", "reason"]
    search_help_text = "Words of the event or the reason"
    date_hierarchy = "rejected_at"
    ordering = ["-rejected_at", "-id"]
    actions = ["retry"]

    @admin.action(permissions=["resolve"], description="Retry these events")
    @requires_confirmation("Retry these events?")
    def retry(self, request: HttpRequest, queryset: QuerySet[RejectedEvent]) -> None:
        outcomes: Counter[str] = Counter()
        for event in queryset.iterator():
            outcome = retry_rejected_event(event, at=timezone.now())
            if outcome != RetryOutcome.GONE:
                log_change(request, event, f"Retried: {outcome}.")
            outcomes[outcome] += 1
        summary = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
        level = messages.WARNING if RetryOutcome.REJECTED in outcomes else messages.SUCCESS
        self.message_user(request, f"Retried: {summary or 'no events'}.", level)


@admin.register(Ingestion)
class IngestionAdmin(ReadOnlyAdmin):
    list_display = ["watermark", "recorded_through", "completed_at", "leased_until"]
