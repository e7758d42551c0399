from django.urls import URLPattern

from common.urls import both_slashes
from stats.api.views import BatchView, MessageSchemaView, MessageViewSet, StatsView

urlpatterns: list[URLPattern] = [
    *both_slashes(
        "messages",
        MessageViewSet.as_view({"get": "list", "post": "create"}, name="Messages"),
        "messages",
    ),
    *both_slashes("messages/batch", BatchView.as_view(), "messages-batch"),
    *both_slashes("messages/<str:uuid>", MessageViewSet.as_view({"get": "retrieve"}), "message"),
    *both_slashes("stats", StatsView.as_view(), "stats"),
    *both_slashes("schemas/stats_message.json", MessageSchemaView.as_view(), "message-schema"),
]
