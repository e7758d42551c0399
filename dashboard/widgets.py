"""The admin's front page: bookings of the last days, from the daily totals."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.urls import reverse

from common.admin.pagination import MAX_COUNTED
from common.widgets import CanView, Chart, StatTile, Widget
from dashboard.models import DailyTotal, Reading, RejectedEvent

CHARTED = 30
DAY = timedelta(days=1)


def cards(*, can_view: CanView, at: datetime) -> Iterator[Widget]:
    if can_view("dailytotal"):
        yield from _bookings(at)
    if can_view("rejectedevent"):
        yield _rejected()


def _bookings(at: datetime) -> Iterator[Widget]:
    days = [at.date() - timedelta(days=back) for back in range(CHARTED - 1, -1, -1)]
    totals = DailyTotal.objects.by_day(Reading.TIMESTAMP, days[0], days[-1])
    booked, cancelled = ([totals.get(day, (0, 0))[which] for day in days] for which in (0, 1))
    net = sum(booked) - sum(cancelled)
    asked = {"reading": Reading.TIMESTAMP, "day__gte": days[0], "day__lt": at.date() + DAY}
    link = f"{reverse('admin:dashboard_dailytotal_changelist')}?{urlencode(asked)}"
    yield StatTile(
        f"Room-nights booked in {CHARTED} days",
        f"{sum(booked):,}",
        f"{sum(cancelled):,} cancelled, {net:,} net",
        link=link,
    )
    yield Chart(
        f"Room-nights of {CHARTED} days, by day of booking",
        [f"{day:%d %b}" for day in days],
        {"Booked": booked, "Cancelled": cancelled},
    )


def _rejected() -> StatTile:
    count = RejectedEvent.objects.order_by()[: MAX_COUNTED + 1].count()
    return StatTile(
        "Rejected events",
        f"{count:,}" if count <= MAX_COUNTED else f"over {MAX_COUNTED:,}",
        "put aside for a person to see" if count else "none",
        link=reverse("admin:dashboard_rejectedevent_changelist"),
        is_alarm=count > 0,
    )
