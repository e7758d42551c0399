"""The admin's front page: messages and amounts, from the statistics table."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from django.urls import reverse

from common.widgets import CanView, Chart, StatTile, Widget
from stats.models import DailyTotal, grouped_amount

CHARTED = 14


def cards(*, can_view: CanView, at: datetime) -> Iterator[Widget]:
    if not can_view("dailytotal"):
        return
    today = at.date()
    days = [today - timedelta(days=back) for back in range(CHARTED - 1, -1, -1)]
    totals = DailyTotal.objects.between(days[0], today).by_day()
    counts, amounts = ([totals.get(day, (0, 0))[which] for day in days] for which in (0, 1))
    yield StatTile(
        "Messages today", f"{counts[-1]:,}", f"yesterday {counts[-2]:,}", link=_list_of(today)
    )
    yield StatTile(
        "Amount today",
        grouped_amount(amounts[-1]),
        f"yesterday {grouped_amount(amounts[-2])}",
        link=_list_of(today),
    )
    yield Chart(
        f"Messages of {CHARTED} days", [f"{day:%d %b}" for day in days], {"Messages": counts}
    )


def _list_of(day: date) -> str:
    until = day + timedelta(days=1)
    return f"{reverse('admin:stats_dailytotal_changelist')}?day__gte={day}&day__lt={until}"
