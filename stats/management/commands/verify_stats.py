from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from stats.models import spoken_amount
from stats.services import verification as ledger


class Command(BaseCommand):
    help = (
        "Recompute the totals from the messages and print every difference, also while messages "
        "come in. Exit code 1 if there is any; with --repair they are mended."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--repair", action="store_true", help="mend what differs")

    def handle(self, *, repair: bool, **options: Any) -> None:
        differences = ledger.differences()
        for it in differences:
            self.stdout.write(
                f"customer {it.customer_id}, type {it.type}, {it.day}: "
                f"counted {it.counted} and {spoken_amount(it.counted_thousandths)}, "
                f"messages {it.messages} and {spoken_amount(it.thousandths)}"
            )
            if repair:
                ledger.mend(it)
        if not differences:
            self.stdout.write(self.style.SUCCESS("No difference"))
        elif repair:
            self.stdout.write(self.style.SUCCESS(f"Mended {len(differences)} totals"))
        else:
            raise CommandError(f"{len(differences)} differences; --repair mends them")
