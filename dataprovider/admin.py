from django.contrib import admin

from common.admin import ReadOnlyAdmin
from dataprovider.models import Event


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["id", "hotel_id", "timestamp", "rpg_status", "room_id", "night_of_stay"]
    list_filter = ["rpg_status"]
    search_fields = ["=id", "=hotel_id", "=room_id"]
    search_help_text = "Id of an event, hotel or room"
    date_hierarchy = "timestamp"
    ordering = ["-timestamp", "-id"]
