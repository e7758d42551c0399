from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import connections

# What asks a server whether it has a database of this name, and what makes one that holds any text.
QUESTIONS = {
    "postgresql": "SELECT 1 FROM pg_database WHERE datname = %s",
    "mysql": "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s",
}
CHARSETS = {"postgresql": "ENCODING 'UTF8' TEMPLATE template0", "mysql": "CHARACTER SET utf8mb4"}


class Command(BaseCommand):
    help = (
        "Make the databases of the services that run here (SERVICES) where a server has none of "
        "that name. One that is there stays as it is; embedded ones are made as they are used."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--client",
            action="store_true",
            help="also the one that stands in for the client's (CLIENT_DATABASE_URL)",
        )

    def handle(self, *, client: bool, **options: Any) -> None:
        for alias in settings.OWN_DATABASES + (settings.FOREIGN_DATABASES if client else []):
            name = connections[alias].settings_dict["NAME"]
            if connections[alias].vendor not in QUESTIONS:
                self.stdout.write(f"Embedded, made as it is used: {name}")
            elif self._make(alias):
                self.stdout.write(self.style.SUCCESS(f"Made the database {name}"))
            else:
                self.stdout.write(f"The database is there: {name}")

    def _make(self, alias: str) -> bool:
        """Return whether it was missing."""
        connection = connections[alias]
        name, vendor = connection.settings_dict["NAME"], connection.vendor
        with connection._nodb_cursor() as cursor:
            cursor.execute(QUESTIONS[vendor], [name])
            if cursor.fetchone():
                return False
            cursor.execute(f"CREATE DATABASE {connection.ops.quote_name(name)} {CHARSETS[vendor]}")
        return True
