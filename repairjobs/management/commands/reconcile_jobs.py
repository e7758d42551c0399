from time import sleep
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from repairjobs.integrations.client_database import ClientUnavailable
from repairjobs.integrations.documents.base import DocumentsUnavailable
from repairjobs.models import Job
from repairjobs.services.reconciliation import Difference, confirmed, differences

LOOKS = 3


class Command(BaseCommand):
    help = (
        "Compare the client's rows, our jobs and their documents; print every difference, and what "
        "is still owed. Jobs that differ are looked at again a little later, so that work under "
        "way is no difference. Exit code 1 if any remains."
    )

    def handle(self, **options: Any) -> None:
        found: list[Difference] = []
        count = Job.objects.count()
        try:
            with tqdm(total=count, unit="job", desc="Compared", disable=None) as bar:
                found.extend(differences(progress=bar.update))
            for _ in range(LOOKS - 1):
                if not found:
                    break
                sleep(2 * max(settings.COLLECT_SECONDS, settings.FOLLOW_SECONDS))
                found = list(confirmed(found))
        except (ClientUnavailable, DocumentsUnavailable) as error:
            raise CommandError(f"{error} ({len(found)} differences before)") from error
        for it in found:
            self.stdout.write(str(it))
        if found:
            raise CommandError(f"{len(found)} differences")
        self.stdout.write(self.style.SUCCESS(f"No difference in {count} jobs"))
