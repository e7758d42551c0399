import random
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone
from tqdm import tqdm

from common.management.arguments import at_least
from repairjobs.demo import history
from repairjobs.models import ClientJob, Job
from repairjobs.services import job_import
from repairjobs.services.outbox.document_task import DocumentTask
from repairjobs.services.outbox.runner import run_outbox


class Command(BaseCommand):
    help = (
        "Fill the embedded client's table and our stores with a made-up year of repair jobs, for "
        "which nobody is texted, and the table with new ones; only while there is no job yet."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--days",
            type=at_least(0),
            default=365,
            help="how many days back (default 365; 0 for none)",
        )
        parser.add_argument(
            "--jobs", type=at_least(0), default=12, help="how many new ones (default 12)"
        )
        parser.add_argument("--seed", type=int, default=1, help="same seed, same jobs (default 1)")

    def handle(self, *, days: int, jobs: int, seed: int, **options: Any) -> None:
        if settings.IS_LIVE:
            self.stdout.write("There is a real client, or SMS leave for real: no jobs made up")
            return
        if ClientJob.objects.exists() or Job.objects.exists():
            self.stdout.write(self.style.SUCCESS("There are jobs already: none made up"))
            return
        rng, now = random.Random(seed), timezone.now()
        job_import.import_new_jobs(at=now)
        past = history.arrivals(rng, days=days, until=now)
        for at in tqdm(past, unit="job", desc="Repaired", disable=None):
            history.simulate_job(rng, since=at, until=now)
        while run_outbox(DocumentTask, clock=timezone.now):
            pass
        for _ in range(jobs):
            history.add_new_job(rng)
        self.stdout.write(
            self.style.SUCCESS(
                f"Seeded {len(past) + jobs} of the client's jobs, {jobs} of them new"
            )
        )
