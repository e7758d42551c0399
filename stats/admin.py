from django.contrib import admin

from config.admin import ReadOnlyAdmin
from stats.models import DailyTotal, Message


@admin.register(DailyTotal)
class DailyTotalAdmin(ReadOnlyAdmin):
    list_display = ["customer_id", "type", "day", "messages", "amount_thousandths"]
    search_fields = ["=customer_id", "=type"]
    date_hierarchy = "day"
    ordering = ["customer_id", "type", "-day"]


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    list_display = ["uuid", "customer_id", "type", "amount_thousandths", "timestamp"]
    search_fields = ["=uuid", "=customer_id"]
    # No date_hierarchy: it would read every message on every page.
    ordering = ["-timestamp", "-uuid"]
    show_full_result_count = False
