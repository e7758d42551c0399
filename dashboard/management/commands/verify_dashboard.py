from time import sleep
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from common.http_client import RemoteServiceUnavailable
from dashboard.integrations.data_provider import Page
from dashboard.services.verification import Difference, compare_with_provider

ATTEMPTS = 3


class Command(BaseCommand):
    help = (
        "Count the data provider's events and print each number that differs from the dashboard, "
        "by hotel. Hotels with differences are compared again after the next ingestion, so that "
        "new events are not reported as differences. The exit code is 1 if differences remain."
    )

    def handle(self, **options: Any) -> None:
        try:
            differences = self.find_differences()
        except RemoteServiceUnavailable as error:
            raise CommandError(str(error)) from error
        for difference in differences:
            self.stdout.write(
                f"hotel {difference.hotel_id}: {difference.measure} of {difference.day} "
                f"by {difference.date_basis}: "
                f"provider {difference.provider}, dashboard {difference.dashboard}"
            )
        if differences:
            raise CommandError(f"{len(differences)} differences")
        self.stdout.write(self.style.SUCCESS("No differences"))

    def find_differences(self) -> list[Difference]:
        with tqdm(unit="event", desc="Read", disable=None) as bar:

            def progress(page: Page) -> None:
                bar.update(len(page.events))

            differences = compare_with_provider(progress=progress)
        for _ in range(ATTEMPTS - 1):
            if not differences:
                break
            sleep(2 * settings.INGEST_SECONDS)
            hotels = sorted({difference.hotel_id for difference in differences})
            differences = [
                difference
                for hotel_id in hotels
                for difference in compare_with_provider(hotel_id=hotel_id)
            ]
        return differences
