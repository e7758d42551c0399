from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from common.api.parsing import to_instant
from dashboard.integrations.data_provider import Page, ProviderUnavailable
from dashboard.services import ingestion as services


def instant(text: str, *, is_upper_bound: bool) -> datetime:
    try:
        return to_instant(text, is_upper_bound=is_upper_bound)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no ISO 8601 date or datetime") from error


class Command(BaseCommand):
    help = (
        "Copy the data provider's events into the dashboard: what came since the last run, or, "
        "with --since or --until, an interval of timestamps again. Nothing is counted twice."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        first, last = partial(instant, is_upper_bound=False), partial(instant, is_upper_bound=True)
        parser.add_argument("--since", type=first, help="date or datetime (UTC), included")
        parser.add_argument("--until", type=last, help="date or datetime (UTC), included")

    def handle(self, *, since: datetime | None, until: datetime | None, **options: Any) -> None:
        if since and until and since > until:
            raise CommandError("--since is after --until: no instant is in between.")
        now = timezone.now()
        with tqdm(unit="event", desc="Read", disable=None) as bar:

            def progress(page: Page) -> None:
                bar.update(len(page.events))
                if page.events:
                    bar.set_postfix_str(f"{page.events[-1].timestamp:%Y-%m-%d %H:%M}")

            try:
                if since or until:
                    done = services.backfill_events(
                        since=since, until=until, at=now, progress=progress
                    )
                else:
                    done = services.ingest_events(at=now, progress=progress)
            except ProviderUnavailable as error:
                raise CommandError(f"{error}. What was stored before stays.") from error
        if done.is_turned_away:
            raise CommandError("Another run is at work; try again when it has ended.")
        self.stdout.write(
            self.style.SUCCESS(
                f"Stored {done.stored} events; known before {done.known}, put aside {done.rejected}"
            )
        )
