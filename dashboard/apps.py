from collections.abc import Iterable, Mapping
from datetime import datetime

from common.service import AdminPage, Freshness, ServiceConfig
from common.widgets import CanView, Widget


class DashboardConfig(ServiceConfig):
    default = True
    name = "dashboard"
    verbose_name = "Dashboard"
    summary = "Bookings per month and day, for revenue managers."
    links = [
        ("This year of hotel 1, by month", "/dashboard?hotel_id=1"),
        ("By day", "/dashboard?hotel_id=1&period=day"),
        ("API", "/docs/dashboard"),
    ]
    commands = [
        (
            "Download the year of a hotel, by month, for a spreadsheet",
            "'{url}/dashboard?hotel_id=1&format=csv'",
        )
    ]
    parameter_examples = {"hotel_id": 1}
    admin_pages = [
        AdminPage("dailytotal", "calendar_month"),
        AdminPage("rejectedevent", "report"),
        AdminPage("event", "event_note"),
        AdminPage("ingestion", "sync"),
    ]

    def ready(self) -> None:
        from dashboard import checks  # noqa: F401 (registers itself)

    def freshness(self) -> Freshness:
        from dashboard.models import Ingestion

        state = Ingestion.objects.current()
        return {
            "Last complete ingestion": state.completed_at,
            "Ingested through": state.watermark,
        }

    def admin_widgets(self, *, can_view: CanView, at: datetime) -> Iterable[Widget]:
        from dashboard.widgets import admin_widgets

        return admin_widgets(can_view=can_view, at=at)

    def gauges(self) -> Mapping[str, tuple[str, float]]:
        from dashboard.models import Ingestion, RejectedEvent

        state = Ingestion.objects.current()
        gauges = {
            "dashboard_rejected_events": ("Rejected events.", float(RejectedEvent.objects.count()))
        }
        if state.completed_at:
            gauges["dashboard_ingestion_completed_seconds"] = (
                "Start of the last run of ingestion without an error, in seconds since 1970.",
                state.completed_at.timestamp(),
            )
        return gauges
