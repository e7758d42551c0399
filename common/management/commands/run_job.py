from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from common.scheduled import UnknownJob, find_job, format_counts, run_job, scheduled_jobs


class Command(BaseCommand):
    help = "Run one scheduled job once, as Celery beat or AWS Lambda would, and print its counts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        names = ", ".join(sorted(job.name for job in scheduled_jobs()))
        parser.add_argument("name", help=f"the job's name: {names}")

    def handle(self, *, name: str, **options: Any) -> None:
        try:
            job = find_job(name)
        except UnknownJob as error:
            raise CommandError(str(error)) from error
        try:
            counts = run_job(job, at=timezone.now())
        except job.expected_errors as error:
            raise CommandError(str(error)) from error
        self.stdout.write(self.style.SUCCESS(f"{name}: {format_counts(counts) or 'done'}"))
