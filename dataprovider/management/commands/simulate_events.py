import random
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from common.http_client import RemoteServiceUnavailable
from common.management.arguments import at_least
from dataprovider.demo.simulator import simulate_guest


class Command(BaseCommand):
    help = (
        "Simulate guests of a hotel who book and cancel through POST /events of "
        "DATA_PROVIDER_URL. Use the command only with a service that may contain demo data."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--hotel", type=at_least(1), default=1, help="the id of the hotel (default 1)"
        )
        parser.add_argument(
            "--guests", type=at_least(1), default=20, help="the number of guests (default 20)"
        )
        parser.add_argument("--seed", type=int, help="the same seed creates the same guests")

    def handle(self, *, hotel: int, guests: int, seed: int | None, **options: Any) -> None:
        rng = random.Random(seed)
        reported = 0
        for _ in tqdm(range(guests), unit="guest", disable=None):
            try:
                reported += simulate_guest(hotel_id=hotel, at=timezone.now(), rng=rng)
            except RemoteServiceUnavailable as error:
                raise CommandError(f"{error} ({reported} events were reported before)") from error
        self.stdout.write(self.style.SUCCESS(f"Reported {reported} events of hotel {hotel}"))
