from time import sleep
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from repairjobs.integrations.client_database import ClientUnavailable
from repairjobs.integrations.documents.base import DocumentsUnavailable
from repairjobs.models import Job
from repairjobs.services.reconciliation import Difference, confirmed, differences

MAX_COMPARISONS = 3


class Command(BaseCommand):
    help = (
        "Compare the client's rows, our jobs and their documents. Print every difference and every "
        "pending outbox task. Differences are compared again after a pause, so that work in "
        "progress is not reported. The exit code is 1 if there is a difference."
    )

    def handle(self, **options: Any) -> None:
        remaining: list[Difference] = []
        count = Job.objects.count()
        try:
            with tqdm(total=count, unit="job", desc="Compared", disable=None) as bar:
                remaining.extend(differences(progress=bar.update))
            for _ in range(MAX_COMPARISONS - 1):
                if not remaining:
                    break
                sleep(2 * max(settings.COLLECT_SECONDS, settings.FOLLOW_SECONDS))
                remaining = list(confirmed(remaining))
        except (ClientUnavailable, DocumentsUnavailable) as error:
            raise CommandError(
                f"{error} ({len(remaining)} differences before this error)"
            ) from error
        for difference in remaining:
            self.stdout.write(str(difference))
        if remaining:
            raise CommandError(f"{len(remaining)} differences")
        self.stdout.write(self.style.SUCCESS(f"No differences in {count} jobs"))
