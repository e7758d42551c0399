import random
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from common.management.arguments import at_least
from dataprovider.integrations.events_api import EventsUnavailable
from dataprovider.services import recording as services


class Command(BaseCommand):
    help = (
        "Let guests of a hotel book and cancel, through POST /events of DATA_PROVIDER_URL. "
        "The events are made up: point it only at a store that may hold such."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--hotel", type=at_least(1), default=1, help="the hotel's id (default 1)"
        )
        parser.add_argument(
            "--guests", type=at_least(1), default=20, help="how many try (default 20)"
        )
        parser.add_argument("--seed", type=int, help="the same seed makes the same guests")

    def handle(self, *, hotel: int, guests: int, seed: int | None, **options: Any) -> None:
        chance = random.Random(seed)
        reported = 0
        for _ in tqdm(range(guests), unit="guest", disable=None):
            try:
                reported += services.simulate_events(
                    hotel_id=hotel, at=timezone.now(), chance=chance
                )
            except EventsUnavailable as error:
                raise CommandError(f"{error} ({reported} events reported before)") from error
        self.stdout.write(self.style.SUCCESS(f"Reported {reported} events of hotel {hotel}"))
