from typing import Any

from django.conf import settings
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = (
        "Fill empty databases of the services of this process (SERVICES) with demo data. The "
        "command runs all seed_… commands."
    )

    def handle(self, **options: Any) -> None:
        commands = get_commands()
        for service in settings.SERVICES:
            for name in sorted(commands):
                if commands[name] == service and name.startswith("seed_"):
                    call_command(name, stdout=self.stdout, stderr=self.stderr)
