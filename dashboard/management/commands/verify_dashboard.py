from time import sleep
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from dashboard.integrations.data_provider import Page, ProviderUnavailable
from dashboard.models import Status
from dashboard.services import ingestion as services

LOOKS = 3


class Command(BaseCommand):
    help = (
        "Count the data provider's events anew and print each day on which the dashboard differs, "
        "hotel by hotel. A hotel that differs is looked at again after the next ingestion, so that "
        "events which came meanwhile are no difference. Exit code 1 if any remains."
    )

    def handle(self, **options: Any) -> None:
        with tqdm(unit="event", desc="Read", disable=None) as bar:

            def progress(page: Page) -> None:
                bar.update(len(page.events))

            try:
                differences = services.compare_with_provider(progress=progress)
                for _ in range(LOOKS - 1):
                    if not differences:
                        break
                    sleep(2 * settings.INGEST_SECONDS)
                    hotels = sorted({difference.hotel_id for difference in differences})
                    differences = [
                        difference
                        for hotel_id in hotels
                        for difference in services.compare_hotel(hotel_id)
                    ]
            except ProviderUnavailable as error:
                raise CommandError(str(error)) from error
        for it in differences:
            what = f"{Status(it.status).label.lower()}s of {it.day} by {it.reading}"
            self.stdout.write(
                f"hotel {it.hotel_id}: {what}: provider {it.provider}, dashboard {it.dashboard}"
            )
        if differences:
            raise CommandError(f"{len(differences)} differences")
        self.stdout.write(self.style.SUCCESS("No difference"))
