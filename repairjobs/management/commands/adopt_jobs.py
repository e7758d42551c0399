from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone
from tqdm import tqdm

from repairjobs.models import Job
from repairjobs.services.holds import release_held_jobs


class Command(BaseCommand):
    help = (
        "Release and open the jobs on hold, with or without an SMS to their customers. The first "
        "import put these jobs on hold. This cannot be undone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        choice = parser.add_mutually_exclusive_group(required=True)
        choice.add_argument(
            "--text", action="store_true", help="text the customers, then open the jobs"
        )
        choice.add_argument("--silent", action="store_true", help="open the jobs without an SMS")
        parser.add_argument(
            "--dry-run", action="store_true", help="only print how many jobs are on hold"
        )

    def handle(self, *, text: bool, dry_run: bool, **options: Any) -> None:
        on_hold = Job.objects.on_hold().count()
        if dry_run:
            self.stdout.write(
                f"Would release {on_hold} jobs {'with' if text else 'without'} an SMS"
            )
            return
        with tqdm(total=on_hold, unit="job", disable=None) as bar:
            released = release_held_jobs(text=text, at=timezone.now(), progress=bar.update)
        self.stdout.write(self.style.SUCCESS(f"Released {released} jobs"))
