import csv
import gzip
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from tqdm import tqdm

from config.api.parsing import to_instant, to_whole_number
from dataprovider import services
from dataprovider.api.serializers import EventSerializer
from dataprovider.models import Event, Status

# The sample layout's names, and ours.
NAMES = {
    "room_reservation_id": "room_id",
    "status": "rpg_status",
    "event_timestamp": "timestamp",
}
FIELDS = {"id", "hotel_id", "timestamp", "rpg_status", "room_id", "night_of_stay"}
STATUSES = {str(status): status for status in Status.values}
BATCH = 2_000
PAUSE_SECONDS = 0.02


class Command(BaseCommand):
    help = (
        "Load events from a CSV file (.csv or .csv.gz), in the sample layout "
        "(room_reservation_id,night_of_stay,id,status,event_timestamp,hotel_id) or with the API's "
        "field names. Events loaded before are left alone; bad lines are reported and left out."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *, file: Path, **options: Any) -> None:
        stored = known = 0
        self.bad = 0
        try:
            with opened(file) as text:
                lines = self.usable_lines(text)
                while batch := list(islice(lines, BATCH)):
                    recorded = services.record_events(
                        [event for _, event in batch], at=timezone.now()
                    )
                    stored += recorded.stored
                    known += recorded.known
                    for index, conflict in recorded.conflicts.items():
                        self.report(batch[index][0], str(conflict))
                    let_others_write()
        except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
            raise CommandError(
                f"{file} cannot be read: {error}. Loaded before that: {stored} events."
            ) from error
        summary = f"Loaded {stored} events; known before {known}, bad lines left out {self.bad}"
        self.stdout.write(self.style.SUCCESS(summary))

    def usable_lines(self, text: TextIO) -> Iterator[tuple[int, Event]]:
        """Each good line's number and event; bad ones are reported."""
        rows = csv.DictReader(text)
        names = {name: NAMES.get(name.strip(), name.strip()) for name in rows.fieldnames or []}
        if missing := FIELDS - set(names.values()):
            raise CommandError(
                f"The first line must name the columns; missing: {', '.join(sorted(missing))}. "
                f"Allowed names: {', '.join(sorted(FIELDS | set(NAMES)))}."
            )
        serializer = EventSerializer()
        # Without an id, a second load could not tell what it loaded before.
        serializer.fields["id"].required = True
        for row in rows:
            content = {field: row[name] for name, field in names.items() if row[name]}
            try:
                checked = plainly_good(content) or serializer.run_validation(content)
                yield rows.line_num, Event(**checked)
            except ValidationError as error:
                self.report(rows.line_num, spoken(error))

    def report(self, line: int, reason: str) -> None:
        self.bad += 1
        tqdm.write(f"line {line}: {reason}", file=sys.stderr)


@contextmanager
def opened(file: Path) -> Iterator[TextIO]:
    """The file's text, unpacked if need be, with a bar that shows how far it was read."""
    size = file.stat().st_size
    counted: Any
    with (
        file.open("rb") as raw,
        tqdm.wrapattr(raw, "read", total=size, desc=file.name, disable=None) as counted,
    ):
        plain = gzip.GzipFile(fileobj=counted) if file.suffix == ".gz" else counted
        yield TextIOWrapper(plain, encoding="utf-8-sig", newline="")


def plainly_good(content: dict[str, str]) -> dict[str, Any] | None:
    """What the serializer would make of this line, ten times as fast; None if it must be asked."""
    try:
        id, hotel_id = to_whole_number(content["id"]), to_whole_number(content["hotel_id"])
        room_id = content["room_id"]
        if id is None or hotel_id is None or not 0 < len(room_id) <= 64 or "\0" in room_id:
            return None
        return {
            "id": id,
            "hotel_id": hotel_id,
            "timestamp": to_instant(content["timestamp"]),
            "rpg_status": STATUSES[content["rpg_status"]],
            "room_id": room_id,
            "night_of_stay": date.fromisoformat(content["night_of_stay"]),
        }
    except (KeyError, ValueError):
        return None


def spoken(error: ValidationError) -> str:
    """The field errors in one line."""
    details: Any = error.detail
    return "; ".join(f"{field}: {' '.join(reasons)}" for field, reasons in details.items())


def let_others_write() -> None:
    """SQLite has one writer at a time, and whoever waits for it asks only now and then."""
    if connections["dataprovider"].vendor == "sqlite":
        time.sleep(PAUSE_SECONDS)
