from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from common.api.parsing import to_instant
from common.api_keys.models import ApiKey, check_services
from common.service import served_services

MAX_NAME_LENGTH = 50


def parse_name(text: str) -> str:
    if not 0 < len(text.strip()) <= MAX_NAME_LENGTH:
        raise ArgumentTypeError(f"must have 1 to {MAX_NAME_LENGTH} characters")
    return text.strip()


def parse_services(text: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    try:
        check_services(names)
    except ValidationError as error:
        raise ArgumentTypeError(error.messages[0]) from error
    return names


def parse_expiry(text: str) -> datetime:
    try:
        instant = to_instant(text, is_upper_bound=True)
    except ValueError as error:
        raise ArgumentTypeError(f"must be a date or datetime (2027-01-31), not {text!r}") from error
    if instant <= timezone.now():
        raise ArgumentTypeError(f"must be in the future, not {text}")
    return instant.astimezone(UTC)


def _has_no_personal_data(name: str) -> bool:
    # A service that this process does not serve may have personal data.
    return any(
        service.label == name and service.personal_data_permission is None
        for service in served_services()
    )


class Command(BaseCommand):
    help = (
        "Create an API key and print it. It is shown only once, because only its digest is stored."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", type=parse_name, help="the user and the purpose of the key")
        parser.add_argument(
            "--services",
            type=parse_services,
            required=True,
            help=f"comma-separated services, from {','.join(settings.KNOWN_SERVICES)}",
        )
        parser.add_argument(
            "--expires",
            type=parse_expiry,
            help="the last day (UTC) or the instant of expiry (default: never)",
        )
        parser.add_argument(
            "--masked",
            action="store_true",
            help="mask people's names and phone numbers for this key",
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
        if masked and all(_has_no_personal_data(service) for service in services):
            raise CommandError("--masked has no effect: these services have no personal data.")
        _, key = ApiKey.objects.create_key(
            name=name, services=services, expiry_date=expires, sees_personal_data=not masked
        )
        # Standard output has only the key, so that scripts can read it.
        self.stdout.write(key)
        self.stderr.write(f"Created the API key {name!r}. It is not shown again.")
