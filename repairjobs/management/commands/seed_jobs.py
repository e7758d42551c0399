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
        "Simulate a year of repair jobs in the embedded client's table and in our databases. Then "
        "add some NEW jobs to the table. No SMS is sent. If there are jobs, nothing is changed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--days",
            type=at_least(0),
            default=365,
            help="number of days (default 365)",
        )
        parser.add_argument(
            "--jobs", type=at_least(0), default=12, help="number of NEW jobs (default 12)"
        )
        parser.add_argument(
            "--seed", type=int, default=1, help="seed of the random numbers (default 1)"
        )

    def handle(self, *, days: int, jobs: int, seed: int, **options: Any) -> None:
        if settings.IS_LIVE:
            self.stdout.write("The client or the SMS are real. No jobs were added.")
            return
        if ClientJob.objects.exists() or Job.objects.exists():
            self.stdout.write(self.style.SUCCESS("There are jobs already. No jobs were added."))
            return
        rng, now = random.Random(seed), timezone.now()
        job_import.import_new_jobs(at=now)
        arrivals = history.draw_arrivals(rng, days=days, until=now)
        for at in tqdm(arrivals, unit="job", desc="Simulated", disable=None):
            history.simulate_job(rng, since=at, until=now)
        while run_outbox(DocumentTask, clock=timezone.now):
            pass
        for _ in range(jobs):
            history.add_new_job(rng)
        self.stdout.write(
            self.style.SUCCESS(
                f"Added {len(arrivals) + jobs} jobs to the client's table, {jobs} of them NEW"
            )
        )
