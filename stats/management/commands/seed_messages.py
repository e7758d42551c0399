import random
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone
from tqdm import tqdm

from common.management.arguments import at_least
from stats.demo import messages as traffic
from stats.models import Message
from stats.services import recording as services

A_FEW = 20_000


class Command(BaseCommand):
    help = (
        f"Store made-up messages of a year, {A_FEW} where there are none yet; "
        "with --messages so many, whatever there is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--messages", type=at_least(0), help="how many, also beside others")
        parser.add_argument("--seed", type=int, help="the same seed makes the same traffic")

    def handle(self, *, messages: int | None, seed: int | None, **options: Any) -> None:
        if messages is None and Message.objects.exists():
            messages = 0
        count = A_FEW if messages is None else messages
        chance = random.Random(seed)
        accepted = 0
        with tqdm(total=count, unit="message", unit_scale=True, desc="Seeded", disable=None) as bar:
            for piece in traffic.messages(chance, count, until=timezone.now()):
                accepted += sum(it.is_new for it in services.record_messages(piece))
                bar.update(len(piece))
        self.stdout.write(self.style.SUCCESS(f"Seeded {accepted} messages"))
