from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from dashboard.models import DailyTotal
from local.launcher import is_free, temporary_web_server


class Command(BaseCommand):
    help = (
        "Fill an empty dashboard with the demo events of this machine's data provider. The command "
        "starts a temporary web process. If web, worker and beat already run, or if the provider "
        "is on another machine, ingestion copies the events instead."
    )

    def handle(self, **options: Any) -> None:
        if DailyTotal.objects.exists():
            self.stdout.write(self.style.SUCCESS("The dashboard already has data."))
            return
        is_local = f"http://127.0.0.1:{settings.PORT}" == settings.DATA_PROVIDER_URL
        if not (is_local and settings.IS_EMBEDDED and is_free(settings.PORT)):
            self.stdout.write("Ingestion will fill the dashboard, as soon as worker and beat run.")
            return
        try:
            with temporary_web_server(settings.PORT, "dataprovider"):
                call_command("ingest_events", stdout=self.stdout, stderr=self.stderr)
        except RuntimeError as error:
            raise CommandError(str(error)) from error
