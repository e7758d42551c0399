import random
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone
from tqdm import tqdm

from common.management.arguments import at_least
from dataprovider.demo import hotel
from dataprovider.models import Event
from dataprovider.services import recording as services

DAYS = 2 * 366


class Command(BaseCommand):
    help = (
        "Fill the data provider with two made-up years of a few hotels, so that there is a year "
        "before this one to compare with; only where a hotel is new."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--days", type=at_least(1), default=DAYS, help=f"how many days back (default {DAYS})"
        )
        parser.add_argument(
            "--seed", type=int, default=1, help="same seed, same guests (default 1)"
        )

    def handle(self, *, days: int, seed: int, **options: Any) -> None:
        now = timezone.now()
        stored = 0
        for hotel_id in tqdm(hotel.DEMO_HOTELS, unit="hotel", disable=None):
            if Event.objects.filter(hotel_id=hotel_id).exists():
                continue
            chance = random.Random(seed + hotel_id)
            past = hotel.past(chance, hotel_id=hotel_id, days=days, until=now)
            stored += services.record_new_events(past, at=timezone.now())
        self.stdout.write(self.style.SUCCESS(f"Seeded {stored} events"))
