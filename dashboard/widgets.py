"""The app's widgets for the admin's overview page: recent bookings and rejected events."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.urls import reverse

from common.admin.pagination import MAX_COUNTED
from common.widgets import CanView, Chart, StatTile, Widget
from dashboard.models import Counts, DailyTotal, DateBasis, RejectedEvent

CHART_DAYS = 30
ONE_DAY = timedelta(days=1)


def admin_widgets(*, can_view: CanView, at: datetime) -> Iterator[Widget]:
    if can_view("dailytotal"):
        yield from _bookings(at)
    if can_view("rejectedevent"):
        yield _rejected_events()


def _bookings(at: datetime) -> Iterator[Widget]:
    today = at.date()
    days = [today - ONE_DAY * back for back in reversed(range(CHART_DAYS))]
    totals = DailyTotal.objects.by(DateBasis.BOOKING_DATE).between(days[0], today)
    counts_by_day = totals.counts_by_day()
    counts = [counts_by_day.get(day, Counts()) for day in days]
    total = Counts.sum(counts)
    filters = {
        "date_basis": DateBasis.BOOKING_DATE,
        "day__gte": days[0],
        "day__lt": today + ONE_DAY,
    }
    yield StatTile(
        f"Room-nights booked in {CHART_DAYS} days",
        f"{total.bookings:,}",
        f"{total.cancellations:,} cancelled, {total.net:,} net",
        link=f"{reverse('admin:dashboard_dailytotal_changelist')}?{urlencode(filters)}",
    )
    yield Chart(
        f"Room-nights of {CHART_DAYS} days, by day of booking",
        [f"{day:%d %b}" for day in days],
        {
            "Booked": [day.bookings for day in counts],
            "Cancelled": [day.cancellations for day in counts],
        },
    )


def _rejected_events() -> StatTile:
    count = RejectedEvent.objects.order_by()[: MAX_COUNTED + 1].count()
    return StatTile(
        "Rejected events",
        f"{count:,}" if count <= MAX_COUNTED else f"over {MAX_COUNTED:,}",
        "Check and retry them." if count else "none",
        link=reverse("admin:dashboard_rejectedevent_changelist"),
        is_alarm=count > 0,
    )
