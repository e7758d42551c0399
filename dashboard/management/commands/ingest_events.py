from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from common.api.parsing import to_instant
from common.http_client import RemoteServiceUnavailable
from dashboard.integrations.data_provider import Page
from dashboard.services.ingestion import backfill_events, ingest_events


def instant(text: str, *, is_upper_bound: bool) -> datetime:
    try:
        return to_instant(text, is_upper_bound=is_upper_bound)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not an ISO 8601 date or datetime") from error


class Command(BaseCommand):
    help = (
        "Copy the events that the data provider reported since the last run. With --since or "
        "--until, copy all events of an interval. Each event is counted once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        since, until = partial(instant, is_upper_bound=False), partial(instant, is_upper_bound=True)
        parser.add_argument("--since", type=since, help="date or datetime (UTC), included")
        parser.add_argument("--until", type=until, help="date or datetime (UTC), included")

    def handle(self, *, since: datetime | None, until: datetime | None, **options: Any) -> None:
        if since and until and since > until:
            raise CommandError("--since must not be after --until.")
        now = timezone.now()
        with tqdm(unit="event", desc="Read", disable=None) as bar:

            def progress(page: Page) -> None:
                bar.update(len(page.events))
                if page.events:
                    bar.set_postfix_str(f"{page.events[-1].timestamp:%Y-%m-%d %H:%M}")

            try:
                if since or until:
                    result = backfill_events(since=since, until=until, at=now, progress=progress)
                else:
                    result = ingest_events(at=now, progress=progress)
            except RemoteServiceUnavailable as error:
                raise CommandError(f"{error}. Events stored before this error are kept.") from error
        if result.already_running:
            raise CommandError("Another run is in progress. Try again when it has finished.")
        self.stdout.write(
            self.style.SUCCESS(
                f"Stored {result.stored} events. {result.known} were stored before. "
                f"{result.rejected} were rejected."
            )
        )
