from django.contrib import admin

from common.admin import ReadOnlyAdmin
from stats.models import DailyTotal, Message


@admin.register(DailyTotal)
class DailyTotalAdmin(ReadOnlyAdmin):
    list_display = fields = ["day", "customer_id", "type", "messages", "amount"]
    readonly_fields = ["amount"]
    search_fields = ["=customer_id"]
    search_help_text = "Customer id"
    date_hierarchy = "day"
    ordering = ["-day", "customer_id", "type"]


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    list_display = fields = ["uuid", "customer_id", "type", "amount", "timestamp"]
    readonly_fields = ["amount"]
    search_fields = ["=uuid", "=customer_id"]
    search_help_text = "UUID or customer id"
    date_hierarchy = "timestamp"
    ordering = ["-timestamp", "-uuid"]
