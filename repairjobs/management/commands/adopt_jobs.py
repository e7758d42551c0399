from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone
from tqdm import tqdm

from repairjobs.models import Job
from repairjobs.services.holds import release_held_jobs


class Command(BaseCommand):
    help = (
        "Decide about the jobs that were held when going live, as the client's table was in use "
        "before us: text their customers, or not. Both open them; neither can be taken back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        choice = parser.add_mutually_exclusive_group(required=True)
        choice.add_argument("--text", action="store_true", help="text them, then open the jobs")
        choice.add_argument("--silent", action="store_true", help="open the jobs without a word")
        parser.add_argument("--dry-run", action="store_true", help="say how many there are, only")

    def handle(self, *, text: bool, dry_run: bool, **options: Any) -> None:
        on_hold = Job.objects.on_hold().count()
        if dry_run:
            self.stdout.write(f"Would release {on_hold} jobs, {'texting' if text else 'silently'}")
            return
        with tqdm(total=on_hold, unit="job", disable=None) as bar:
            released = release_held_jobs(text=text, at=timezone.now(), progress=bar.update)
        self.stdout.write(self.style.SUCCESS(f"Released {released} jobs"))
