from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = (
        "Migrate the databases of the services of this process (SERVICES). The client's database "
        "is set up only if it is embedded."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--plan", action="store_true", help="only show what would be done")

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
