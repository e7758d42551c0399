"""Two usual ways to copy a provider's events. Each returns how many it stored."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from itertools import islice
from typing import Any

import requests
from django.conf import settings
from django.db import transaction

from dashboard.models import DailyTotal, Event


def pages() -> Iterator[list[dict[str, Any]]]:
    url = f"{settings.DATA_PROVIDER_URL}/events?limit=1000"
    with requests.Session() as session:
        while url:
            response = session.get(url, timeout=30)
            yield response.json()
            url = response.links.get("next", {}).get("url")


def one_by_one(count: int) -> int:
    """Upsert event by event. It keeps no totals: this approach counts on each request."""
    for item in islice((item for page in pages() for item in page), count):
        content = {
            "hotel_id": item["hotel_id"],
            "timestamp": item["timestamp"],
            "rpg_status": item["rpg_status"],
            "night_of_stay": item["night_of_stay"],
        }
        Event.objects.update_or_create(id=item["id"], defaults=content)
    return count


def page_by_page(count: int) -> int:
    """Store one page per transaction by ``bulk_create``, and keep totals."""
    stored = 0
    for page in pages():
        events = [
            Event(
                id=item["id"],
                hotel_id=item["hotel_id"],
                timestamp=datetime.fromisoformat(item["timestamp"]),
                rpg_status=item["rpg_status"],
                night_of_stay=date.fromisoformat(item["night_of_stay"]),
            )
            for item in page
        ]
        with transaction.atomic(using="dashboard"):
            ids = [event.id for event in events]
            known = set(Event.objects.filter(id__in=ids).values_list("id", flat=True))
            new = [event for event in events if event.id not in known]
            Event.objects.bulk_create(new, ignore_conflicts=True)
            add_to_totals(new)
        stored += len(events)
        if stored >= count:
            break
    return stored


def add_to_totals(events: list[Event]) -> None:
    bookings: Counter[tuple[int, str, date]] = Counter()
    cancellations: Counter[tuple[int, str, date]] = Counter()
    for event in events:
        counts = bookings if event.rpg_status == 1 else cancellations
        counts[event.hotel_id, "night_of_stay", event.night_of_stay] += 1
        counts[event.hotel_id, "timestamp", event.timestamp.date()] += 1
    keys = sorted(bookings.keys() | cancellations.keys())
    totals = DailyTotal.objects.filter(
        hotel_id__in={key[0] for key in keys}, day__in={key[2] for key in keys}
    )
    before = {(total.hotel_id, total.date_basis, total.day): total for total in totals}
    rows = []
    for key in keys:
        total = before.get(key)
        rows.append(
            DailyTotal(
                hotel_id=key[0],
                date_basis=key[1],
                day=key[2],
                bookings=bookings[key] + (total.bookings if total else 0),
                cancellations=cancellations[key] + (total.cancellations if total else 0),
            )
        )
    DailyTotal.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["hotel_id", "date_basis", "day"],
        update_fields=["bookings", "cancellations"],
    )
