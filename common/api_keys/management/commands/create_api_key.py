from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from common.api.parsing import to_instant
from common.api_keys.models import ApiKey, check_services

MAX_NAME_LENGTH = 50


def a_name(spelled: str) -> str:
    if not 0 < len(spelled.strip()) <= MAX_NAME_LENGTH:
        raise ArgumentTypeError(f"allowed: 1 to {MAX_NAME_LENGTH} characters")
    return spelled.strip()


def some_services(spelled: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in spelled.split(",")))
    try:
        check_services(names)
    except ValidationError as error:
        raise ArgumentTypeError(error.messages[0]) from error
    return names


def to_come(spelled: str) -> datetime:
    try:
        instant = to_instant(spelled, is_upper_bound=True)
    except ValueError as error:
        raise ArgumentTypeError(f"{spelled!r}; allowed: a date or datetime (2027-01-31)") from error
    if instant <= timezone.now():
        raise ArgumentTypeError(f"{spelled} is over")
    return instant.astimezone(UTC)


class Command(BaseCommand):
    help = "Make an API key and print it, once: only its digest is kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", type=a_name, help="whose it is, and what for")
        parser.add_argument(
            "--services",
            type=some_services,
            required=True,
            help=f"what it opens, with commas between: {','.join(settings.KNOWN_SERVICES)}",
        )
        parser.add_argument(
            "--expires",
            type=to_come,
            help="when it stops: at an instant, or after a whole day, UTC (default: never)",
        )
        parser.add_argument(
            "--masked",
            action="store_true",
            help="show it no names and phone numbers of the repair jobs' customers",
        )

    def handle(
        self,
        *,
        name: str,
        services: list[str],
        expires: datetime | None,
        masked: bool,
        **options: Any,
    ) -> None:
        if masked and "repairjobs" not in services:
            raise CommandError("--masked says something only where --services has repairjobs.")
        _, key = ApiKey.objects.create_key(
            name=name, services=services, expiry_date=expires, sees_personal_data=not masked
        )
        # The key alone on standard output, for whoever pipes it on.
        self.stdout.write(key)
        self.stderr.write(f"Kept: the digest of {name!r}. The key is not shown again.")
