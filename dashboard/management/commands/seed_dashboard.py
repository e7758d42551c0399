from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from dashboard.models import DailyTotal
from local.launcher import is_free, temporary_web_server


class Command(BaseCommand):
    help = (
        "Copy the made-up events of this machine's data provider into a new dashboard, through "
        "GET /events of a web process that runs for as long. Where web, worker and beat run, or "
        "the provider is elsewhere, that is left to ingestion."
    )

    def handle(self, **options: Any) -> None:
        if DailyTotal.objects.exists():
            self.stdout.write(self.style.SUCCESS("The dashboard has been filled before"))
            return
        is_ours = f"http://127.0.0.1:{settings.PORT}" == settings.DATA_PROVIDER_URL
        if not (is_ours and settings.IS_EMBEDDED and is_free(settings.PORT)):
            self.stdout.write("The dashboard is filled by its ingestion: worker and beat")
            return
        try:
            with temporary_web_server(settings.PORT, "dataprovider"):
                call_command("ingest_events", stdout=self.stdout, stderr=self.stderr)
        except RuntimeError as error:
            raise CommandError(str(error)) from error
