from typing import Any

from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = (
        "Fill the stores of the services that run here with made-up content, where they are new: "
        "every seed_… command in turn."
    )

    def handle(self, **options: Any) -> None:
        for name in sorted(get_commands()):
            if name.startswith("seed_"):
                call_command(name, stdout=self.stdout, stderr=self.stderr)
