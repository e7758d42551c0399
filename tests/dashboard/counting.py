"""The expected and the stored totals, as counters with one key per hotel, basis, day and status."""

from collections import Counter
from datetime import UTC

from dashboard.models import DailyTotal
from tests.dashboard.fake_provider import parse_instant


def expected_totals(events):
    """Count the provider's events one by one."""
    counts = Counter()
    for event in events:
        day = str(parse_instant(event["timestamp"]).astimezone(UTC).date())
        hotel_id, status = event["hotel_id"], event["rpg_status"]
        counts[hotel_id, "timestamp", day, status] += 1
        counts[hotel_id, "night_of_stay", event["night_of_stay"], status] += 1
    return counts


def stored_totals():
    counts = Counter()
    for row in DailyTotal.objects.all():
        counts[row.hotel_id, row.date_basis, str(row.day), 1] = row.bookings
        counts[row.hotel_id, row.date_basis, str(row.day), 2] = row.cancellations
    return +counts
