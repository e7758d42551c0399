from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Migrate the store of every service that this process carries (SERVICES)."

    def handle(self, *, verbosity: int, **options: Any) -> None:
        for alias in settings.OWN_STORES:
            call_command("migrate", database=alias, interactive=False, verbosity=verbosity)
        if settings.FOREIGN_STORES and settings.CLIENT_IS_EMBEDDED:
            call_command("create_client_database", verbosity=verbosity, stdout=self.stdout)
