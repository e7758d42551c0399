from typing import Any

from django.core.management.base import BaseCommand

from common.api_keys.models import ApiKey


class Command(BaseCommand):
    help = "List the API keys: prefix, state, end, services, name; newest first."

    def handle(self, **options: Any) -> None:
        keys = ApiKey.objects.order_by("-created")
        if not keys:
            self.stderr.write("There is none yet; create_api_key makes one.")
        for key in keys:
            ends = f"{key.expiry_date:%Y-%m-%d %H:%M} UTC" if key.expiry_date else "never"
            services = ",".join(key.services) + ("" if key.sees_personal_data else " (masked)")
            self.stdout.write(f"{key.prefix}  {key.state:<8}{ends:<22}{services}  {key.name}")
