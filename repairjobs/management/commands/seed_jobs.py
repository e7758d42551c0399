import random
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from repairjobs import client, simulation
from repairjobs.models import FACTS, ClientJob


class Command(BaseCommand):
    help = "Fill the embedded client's table with made-up new jobs; only while it is empty."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--jobs", type=int, default=12, help="how many (default 12)")
        parser.add_argument("--seed", type=int, default=1, help="same seed, same jobs (default 1)")

    def handle(self, *, jobs: int, seed: int, **options: Any) -> None:
        if settings.IS_IN_EARNEST:
            self.stdout.write("There is a real client, or SMS leave for real: no jobs made up")
            return
        if ClientJob.objects.exists():
            jobs = 0
        chance = random.Random(seed)
        names = {column: name for name, column in FACTS.items()} | {"Job_status": "status"}
        for _ in range(jobs):
            columns: dict[str, Any] = {
                names[column]: value for column, value in simulation.made_up_job(chance).items()
            }
            client.add(**columns)
        self.stdout.write(self.style.SUCCESS(f"Seeded {jobs} of the client's jobs"))
