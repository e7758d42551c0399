from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from repairjobs.services import collecting


class Command(BaseCommand):
    help = "Decide about the jobs that were held when going live: text their customers, or not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        choice = parser.add_mutually_exclusive_group(required=True)
        choice.add_argument("--text", action="store_true", help="text them, then open the jobs")
        choice.add_argument("--silent", action="store_true", help="open the jobs without a word")

    def handle(self, *, text: bool, **options: Any) -> None:
        adopted = collecting.adopt_jobs(text=text, at=timezone.now())
        self.stdout.write(self.style.SUCCESS(f"Adopted {adopted} jobs"))
