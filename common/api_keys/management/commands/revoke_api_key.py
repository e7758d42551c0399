from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from common.api_keys.cache import FRESH_SECONDS
from common.api_keys.models import ApiKey


class Command(BaseCommand):
    help = "Revoke an API key, for good. Every process refuses it within ten seconds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", help="its prefix, as list_api_keys shows it, or the whole key")

    def handle(self, *, key: str, **options: Any) -> None:
        prefix = key.partition(".")[0]
        try:
            found = ApiKey.objects.get(prefix=prefix)
        except ApiKey.DoesNotExist as error:
            raise CommandError(
                f"No API key begins with {prefix!r}; list_api_keys shows them all."
            ) from error
        if found.revoked:
            self.stdout.write(f"{found.name!r} was revoked before.")
            return
        found.revoked = True
        found.save(update_fields=["revoked"])
        self.stdout.write(
            self.style.SUCCESS(
                f"Revoked {found.name!r}; it opens nothing after {2 * FRESH_SECONDS:.0f} seconds."
            )
        )
