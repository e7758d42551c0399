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
from dashboard.models import DailyTotal, Event, Ingestion, Reading, RejectedEvent
from dashboard.services import ingestion as services


class ReadingFilter(StrictChoiceFilter):
    """One reading at a time, as an event counts on a day of each."""

    title = "reading"
    parameter_name = "reading"
    horizontal = True

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, capfirst(label)) for value, label in reversed(Reading.choices)]

    def value(self) -> str:
        return super().value() or Reading.TIMESTAMP

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        _all, *readings = super().choices(changelist)
        yield from readings

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[DailyTotal]
    ) -> QuerySet[DailyTotal]:
        return queryset.filter(reading=self.value())


@admin.register(DailyTotal)
class DailyTotalAdmin(ReadOnlyAdmin):
    list_display = ["day", "hotel_id", "reading", "bookings", "cancellations"]
    list_filter = [ReadingFilter]
    list_before_template = "dashboard/admin/date_basis_filter.html"
    search_fields = ["=hotel_id"]
    search_help_text = "Number of a hotel"
    date_hierarchy = "day"
    ordering = ["-day", "-reading", "hotel_id"]


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    # No dates to narrow by: no index on them, which each event that is ingested would pay for.
    list_display = ["id", "hotel_id", "timestamp", "rpg_status", "night_of_stay"]
    list_filter = ["rpg_status"]
    search_fields = ["=id"]
    search_help_text = "Number of an event"
    ordering = ["-id"]


@admin.register(RejectedEvent)
class RejectedEventAdmin(ReadOnlyAdmin):
    list_display = ["rejected_at", "reason", "content"]
    search_fields = ["content", "reason"]
    search_help_text = "Words of the event or the reason"
    date_hierarchy = "rejected_at"
    ordering = ["-rejected_at", "-id"]
    actions = ["reconsider"]

    @admin.action(permissions=["resolve"], description="Ingest again")
    @requires_confirmation("Judge these events anew?")
    def reconsider(self, request: HttpRequest, queryset: QuerySet[RejectedEvent]) -> None:
        became: Counter[str] = Counter()
        for event in queryset.iterator():
            outcome = services.reconsider(event, at=timezone.now())
            if outcome != services.Outcome.GONE:
                log_change(request, event, f"Ingested again: {outcome}.")
            became[outcome] += 1
        told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(became.items()))
        level = messages.WARNING if services.Outcome.REJECTED in became else messages.SUCCESS
        self.message_user(request, f"Ingested again: {told or 'nothing'}.", level)


@admin.register(Ingestion)
class IngestionAdmin(ReadOnlyAdmin):
    list_display = ["watermark", "recorded_through", "completed_at", "leased_until"]
