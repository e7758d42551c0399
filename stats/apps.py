from collections.abc import Iterable, Mapping
from datetime import datetime
from wsgiref.types import WSGIApplication

from common.service import AdminPage, Freshness, ServiceConfig
from common.widgets import CanView, Widget


class StatsConfig(ServiceConfig):
    default = True
    name = "stats"
    verbose_name = "Stats"
    summary = "Counts billable messages and their amounts per customer, type and day."
    links = [
        ("Totals per customer", "/stats"),
        ("Customer 1 by month", "/stats?customerId=1&interval=month"),
        ("Messages", "/messages"),
        ("API", "/docs/stats"),
    ]
    commands = [
        (
            "Record a message. If you send it twice, it is counted once.",
            "{url}/messages -H 'Content-Type: application/json' -d '"
            '{"customerId": 1, "type": "A", "amount": "0.012", '
            '"uuid": "a596b362-08be-419f-8070-9c3055566e7c"}\'',
        ),
    ]
    parameter_examples = {"uuid": "a596b362-08be-419f-8070-9c3055566e7c"}
    admin_pages = [
        AdminPage("dailytotal", "calendar_month"),
        AdminPage("message", "receipt_long"),
    ]

    def freshness(self) -> Freshness:
        from stats.models import Message

        return {"Last message": Message.objects.last_timestamp()}

    def gauges(self) -> Mapping[str, tuple[str, float]]:
        from stats.models import Message

        last = Message.objects.last_timestamp()
        if last is None:
            return {}
        return {
            "stats_last_message_seconds": (
                "Unix time at which the last message was processed.",
                last.timestamp(),
            )
        }

    def admin_widgets(self, *, can_view: CanView, at: datetime) -> Iterable[Widget]:
        from stats.widgets import admin_widgets

        return admin_widgets(can_view=can_view, at=at)

    def wrap_wsgi(self, application: WSGIApplication) -> WSGIApplication:
        from stats.api.fast_path import wrap_wsgi

        return wrap_wsgi(application)
