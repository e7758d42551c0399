from django.contrib import admin

from config.admin import ReadOnlyAdmin
from dashboard.models import DailyTotal, Event, Ingestion, RejectedEvent


@admin.register(DailyTotal)
class DailyTotalAdmin(ReadOnlyAdmin):
    list_display = ["hotel_id", "reading", "day", "bookings", "cancellations"]
    list_filter = ["reading"]
    search_fields = ["=hotel_id"]
    ordering = ["hotel_id", "reading", "-day"]


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["id", "hotel_id", "timestamp", "rpg_status", "night_of_stay"]
    list_filter = ["rpg_status"]
    search_fields = ["=id", "=hotel_id"]
    ordering = ["-id"]


@admin.register(RejectedEvent)
class RejectedEventAdmin(ReadOnlyAdmin):
    list_display = ["rejected_at", "reason", "content"]
    search_fields = ["content", "reason"]
    date_hierarchy = "rejected_at"
    ordering = ["-rejected_at"]


@admin.register(Ingestion)
class IngestionAdmin(ReadOnlyAdmin):
    list_display = ["watermark", "recorded_through", "completed_at", "leased_until"]
