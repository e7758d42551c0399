from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = (
        "Migrate the store of every service that this process carries (SERVICES), one after the "
        "other; a client's database only where it is the embedded one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--plan", action="store_true", help="say what would be done, only")

    def handle(self, *, plan: bool, verbosity: int, **options: Any) -> None:
        for alias in settings.OWN_DATABASES:
            if plan or verbosity:
                self.stdout.write(self.style.MIGRATE_HEADING(f"In {alias}:"))
            call_command(
                "migrate",
                database=alias,
                interactive=False,
                plan=plan,
                verbosity=verbosity,
                stdout=self.stdout,
            )
        if plan:
            return
        if settings.FOREIGN_DATABASES and settings.CLIENT_IS_EMBEDDED:
            call_command("create_client_database", verbosity=verbosity, stdout=self.stdout)
