from typing import Any

from django.core.management.base import BaseCommand

from common.api_keys.models import ApiKey


class Command(BaseCommand):
    help = "List the API keys, newest first: prefix, state, expiry, services, name."

    def handle(self, **options: Any) -> None:
        keys = ApiKey.objects.order_by("-created")
        if not keys:
            self.stderr.write("There are no API keys. Create one with create_api_key.")
        for key in keys:
            expiry = f"{key.expiry_date:%Y-%m-%d %H:%M} UTC" if key.expiry_date else "never"
            services = ",".join(key.services) + ("" if key.sees_personal_data else " (masked)")
            self.stdout.write(f"{key.prefix}  {key.state:<8}{expiry:<22}{services}  {key.name}")
