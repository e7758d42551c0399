from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import connections

# Queries that check whether a server has a database of this name.
EXISTS_QUERIES = {
    "postgresql": "SELECT 1 FROM pg_database WHERE datname = %s",
    "mysql": "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s",
}
# Options of CREATE DATABASE for full Unicode.
CHARSETS = {"postgresql": "ENCODING 'UTF8' TEMPLATE template0", "mysql": "CHARACTER SET utf8mb4"}


class Command(BaseCommand):
    help = (
        "Create the databases of the services of this process (SERVICES) on their servers. "
        "Existing databases are not changed. Embedded databases need no creation."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--client",
            action="store_true",
            help="also create CLIENT_DATABASE_URL, as a stand-in for the client's own database",
        )

    def handle(self, *, client: bool, **options: Any) -> None:
        for alias in settings.OWN_DATABASES + (settings.FOREIGN_DATABASES if client else []):
            name = connections[alias].settings_dict["NAME"]
            if connections[alias].vendor not in EXISTS_QUERIES:
                self.stdout.write(f"Embedded, created on first use: {name}")
            elif self._create(alias):
                self.stdout.write(self.style.SUCCESS(f"Created the database {name}"))
            else:
                self.stdout.write(f"The database exists: {name}")

    def _create(self, alias: str) -> bool:
        """Create the database if it is missing. Return whether it was missing."""
        connection = connections[alias]
        name, vendor = connection.settings_dict["NAME"], connection.vendor
        with connection._nodb_cursor() as cursor:
            cursor.execute(EXISTS_QUERIES[vendor], [name])
            if cursor.fetchone():
                return False
            cursor.execute(f"CREATE DATABASE {connection.ops.quote_name(name)} {CHARSETS[vendor]}")
        return True
