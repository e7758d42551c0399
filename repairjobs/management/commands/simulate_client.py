import random
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from common.http_client import RemoteServiceUnavailable
from common.management.arguments import at_least
from repairjobs.demo import simulator


class Command(BaseCommand):
    help = (
        "Simulate a repair shop over HTTP, with /client/jobs and /jobs of this machine: jobs are "
        "added, started, completed and paid. Not allowed if the client or the SMS are real."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--rounds", type=at_least(1), default=20, help="number of rounds (default 20)"
        )
        parser.add_argument("--seed", type=int, help="seed of the random numbers (default: random)")

    def handle(self, *, rounds: int, seed: int | None, **options: Any) -> None:
        rng = random.Random(seed)
        try:
            for _ in tqdm(range(rounds), unit="round", disable=None):
                simulator.simulate_client(rng=rng)
        except (simulator.DemoForbidden, RemoteServiceUnavailable) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(self.style.SUCCESS(f"Simulated {rounds} rounds"))
