from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from repairjobs.client import ClientUnavailable
from repairjobs.documents import DocumentsUnavailable
from repairjobs.models import Job
from repairjobs.reconciliation import differences


class Command(BaseCommand):
    help = "Compare the client's rows, our jobs and their documents; print every difference."

    def handle(self, **options: Any) -> None:
        found = 0
        with tqdm(total=Job.objects.count(), unit="job", disable=None) as bar:
            try:
                for difference in differences(progress=bar.update):
                    found += 1
                    self.stdout.write(difference)
            except (ClientUnavailable, DocumentsUnavailable) as error:
                raise CommandError(f"{error} ({found} differences before)") from error
        if found:
            raise CommandError(f"{found} differences")
        self.stdout.write(self.style.SUCCESS("No difference"))
