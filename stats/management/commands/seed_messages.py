import random
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone
from tqdm import tqdm

from common.management.arguments import at_least
from stats.demo.messages import draw_messages
from stats.models import Message
from stats.services.recording import record_messages

DEFAULT_COUNT = 20_000


class Command(BaseCommand):
    help = (
        f"Store {DEFAULT_COUNT} random messages of the last year if there are no messages. "
        "With --messages, store that number, even if there are messages."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--messages", type=at_least(0), help="number of messages to add to existing messages"
        )
        parser.add_argument("--seed", type=int, help="the same seed gives the same messages")

    def handle(self, *, messages: int | None, seed: int | None, **options: Any) -> None:
        if messages is None:
            messages = 0 if Message.objects.exists() else DEFAULT_COUNT
        rng = random.Random(seed)
        stored = 0
        with tqdm(
            total=messages, unit="message", unit_scale=True, desc="Seeded", disable=None
        ) as bar:
            for chunk in draw_messages(rng, messages, until=timezone.now()):
                stored += sum(outcome.is_new for outcome in record_messages(chunk))
                bar.update(len(chunk))
        self.stdout.write(self.style.SUCCESS(f"Seeded {stored} messages"))
