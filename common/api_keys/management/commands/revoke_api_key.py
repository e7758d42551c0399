from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from common.api_keys.cache import RELOAD_SECONDS
from common.api_keys.models import ApiKey


class Command(BaseCommand):
    help = "Revoke an API key permanently. Every process rejects it within ten seconds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", help="the prefix that list_api_keys shows, or the whole key")

    def handle(self, *, key: str, **options: Any) -> None:
        prefix = key.partition(".")[0]
        try:
            api_key = ApiKey.objects.get(prefix=prefix)
        except ApiKey.DoesNotExist as error:
            raise CommandError(
                f"No API key has the prefix {prefix!r}. list_api_keys shows all prefixes."
            ) from error
        if api_key.revoked:
            self.stdout.write(f"The API key {api_key.name!r} is already revoked.")
            return
        api_key.revoked = True
        api_key.save(update_fields=["revoked"])
        self.stdout.write(
            self.style.SUCCESS(
                f"Revoked the API key {api_key.name!r}. "
                f"Every process rejects it within {2 * RELOAD_SECONDS:.0f} seconds."
            )
        )
