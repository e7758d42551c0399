from django.urls import URLPattern

from common.urls import optional_slash
from stats.api.views import BatchView, MessageSchemaView, MessageViewSet, StatsView

urlpatterns: list[URLPattern] = [
    *optional_slash(
        "messages",
        MessageViewSet.as_view({"get": "list", "post": "create"}, name="Messages"),
        "messages",
    ),
    *optional_slash("messages/batch", BatchView.as_view(), "messages-batch"),
    *optional_slash("messages/<str:uuid>", MessageViewSet.as_view({"get": "retrieve"}), "message"),
    *optional_slash("stats", StatsView.as_view(), "stats"),
    *optional_slash("schemas/stats_message.json", MessageSchemaView.as_view(), "message-schema"),
]
