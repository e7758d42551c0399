import random
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone
from tqdm import tqdm

from dataprovider import hotel, services
from dataprovider.models import Event


class Command(BaseCommand):
    help = "Fill the data provider with a made-up year of a few hotels; only where a hotel is new."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, default=1, help="same seed, same year (default 1)")

    def handle(self, *, seed: int, **options: Any) -> None:
        now = timezone.now()
        stored = 0
        for hotel_id in tqdm(hotel.DEMO_HOTELS, unit="hotel", disable=None):
            if Event.objects.filter(hotel_id=hotel_id).exists():
                continue
            year = hotel.a_year(random.Random(seed + hotel_id), hotel_id=hotel_id, until=now)
            stored += services.record_new_events(year, at=timezone.now())
        self.stdout.write(self.style.SUCCESS(f"Seeded {stored} events"))
