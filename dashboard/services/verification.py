from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from dashboard.integrations.data_provider import fetch_pages
from dashboard.models import Counts, DailyTotal, TotalKey
from dashboard.services.bulk_insert import count_events
from dashboard.services.ingestion import Progress, ignore_progress


@dataclass(frozen=True)
class Difference:
    """A number that differs between the provider and the dashboard."""

    hotel_id: int
    date_basis: str
    day: date
    measure: str
    provider: int
    dashboard: int


def compare_with_provider(
    *, hotel_id: int | None = None, progress: Progress = ignore_progress
) -> list[Difference]:
    """Count the provider's events, of one hotel or of all, and return the differences by hotel.

    Rejected events are not counted.

    :raises RemoteServiceUnavailable: if not all events could be read.
    """
    counted: defaultdict[TotalKey, Counts] = defaultdict(Counts)
    for page in fetch_pages(hotel_id=hotel_id):
        for key, counts in count_events(page.events).items():
            counted[key] = Counts.sum([counted[key], counts])
        progress(page)
    stored = DailyTotal.objects.all() if hotel_id is None else DailyTotal.objects.of_hotel(hotel_id)
    return _find_differences(counted, stored.counts_by_key())


def _find_differences(
    provider: dict[TotalKey, Counts], dashboard: dict[TotalKey, Counts]
) -> list[Difference]:
    return [
        Difference(*key, measure, provider=provider_number, dashboard=dashboard_number)
        for key in sorted(provider.keys() | dashboard.keys())
        for measure, provider_number, dashboard_number in zip(
            Counts._fields,
            provider.get(key, Counts()),
            dashboard.get(key, Counts()),
            strict=True,
        )
        if provider_number != dashboard_number
    ]
