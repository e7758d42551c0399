"""The app's widgets for the admin's overview page: messages and amounts, from the totals."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from django.urls import reverse

from common.widgets import CanView, Chart, StatTile, Widget
from stats.models import NO_MESSAGES, DailyTotal, format_amount_grouped

CHART_DAYS = 14


def admin_widgets(*, can_view: CanView, at: datetime) -> Iterator[Widget]:
    if not can_view("dailytotal"):
        return
    today = at.date()
    days = [today - timedelta(days=back) for back in range(CHART_DAYS - 1, -1, -1)]
    sums_by_day = DailyTotal.objects.between(days[0], today).by_day()
    sums = [sums_by_day.get(day, NO_MESSAGES) for day in days]
    *_, sums_yesterday, sums_today = sums
    yield StatTile(
        "Messages today",
        f"{sums_today.messages:,}",
        f"yesterday {sums_yesterday.messages:,}",
        link=_list_link(today),
    )
    yield StatTile(
        "Amount today",
        format_amount_grouped(sums_today.amount_thousandths),
        f"yesterday {format_amount_grouped(sums_yesterday.amount_thousandths)}",
        link=_list_link(today),
    )
    yield Chart(
        f"Messages of the last {CHART_DAYS} days",
        [f"{day:%d %b}" for day in days],
        {"Messages": [day.messages for day in sums]},
    )


def _list_link(day: date) -> str:
    """Return the path of the admin's list of this day's totals."""
    next_day = day + timedelta(days=1)
    return f"{reverse('admin:stats_dailytotal_changelist')}?day__gte={day}&day__lt={next_day}"
