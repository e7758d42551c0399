from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from stats.models import format_amount
from stats.services.verification import find_differences, repair_total


class Command(BaseCommand):
    help = (
        "Recompute the totals from the messages and print every difference. It can run while "
        "messages are recorded. The exit code is 1 if there are differences."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--repair", action="store_true", help="correct the wrong totals")

    def handle(self, *, repair: bool, **options: Any) -> None:
        differences = find_differences()
        for difference in differences:
            customer_id, type, day, *_ = difference
            self.stdout.write(
                f"customer {customer_id}, type {type}, {day}: "
                f"stored: {difference.total_messages} messages, amount "
                f"{format_amount(difference.total_thousandths)}; "
                f"correct: {difference.actual_messages} messages, amount "
                f"{format_amount(difference.actual_thousandths)}"
            )
            if repair:
                repair_total(customer_id=customer_id, type=type, day=day)
        if not differences:
            self.stdout.write(self.style.SUCCESS("No difference"))
        elif repair:
            self.stdout.write(self.style.SUCCESS(f"Repaired {len(differences)} totals"))
        else:
            raise CommandError(f"{len(differences)} differences. Use --repair to correct them.")
