import random
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone
from tqdm import tqdm

from common.management.arguments import at_least
from dataprovider.demo.hotel import DEMO_HOTELS, generate_history
from dataprovider.models import Event
from dataprovider.services.recording import record_new_events

DEFAULT_DAYS = 2 * 366  # so that reports can compare this year with the year before


class Command(BaseCommand):
    help = "Create two years of random events for each demo hotel that has no events yet."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--days",
            type=at_least(1),
            default=DEFAULT_DAYS,
            help=f"number of days until now (default {DEFAULT_DAYS})",
        )
        parser.add_argument(
            "--seed", type=int, default=1, help="the same seed creates the same events (default 1)"
        )

    def handle(self, *, days: int, seed: int, **options: Any) -> None:
        now = timezone.now()
        stored = 0
        for hotel_id in tqdm(DEMO_HOTELS, unit="hotel", disable=None):
            if Event.objects.has_hotel(hotel_id):
                continue
            rng = random.Random(seed + hotel_id)
            events = generate_history(rng, hotel_id=hotel_id, days=days, until=now)
            stored += record_new_events(events, at=timezone.now())
        self.stdout.write(self.style.SUCCESS(f"Seeded {stored} events"))
