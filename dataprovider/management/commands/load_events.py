import csv
import gzip
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from tqdm import tqdm

from common.api.parsing import to_day, to_instant, to_whole_number
from dataprovider.api.serializers import EventSerializer
from dataprovider.models import Event, Status
from dataprovider.services import recording as services

# The sample layout's names, and ours.
NAMES = {
    "room_reservation_id": "room_id",
    "status": "rpg_status",
    "event_timestamp": "timestamp",
}
FIELDS = {"id", "hotel_id", "timestamp", "rpg_status", "room_id", "night_of_stay"}
STATUSES = {str(status): status for status in Status.values}
BATCH = 5_000
MAX_FIELD_LENGTH = 64 * 1024 * 1024
PAUSE_SECONDS = 0.02


class Command(BaseCommand):
    help = (
        "Load events from a CSV file (.csv or .csv.gz), in the sample layout "
        "(room_reservation_id,night_of_stay,id,status,event_timestamp,hotel_id) or with the API's "
        "field names. Events loaded before are left alone; bad lines are reported and left out."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="its first line names the columns")
        parser.add_argument(
            "--dry-run", action="store_true", help="only say what is in it, and what is wrong"
        )

    def handle(self, *, file: Path, dry_run: bool, **options: Any) -> None:
        self.is_dry_run, self.usable = dry_run, 0
        self.loaded = services.Recorded()
        self.bad = 0
        try:
            with opened(file) as text:
                self.load(self.usable_lines(text))
        except (OSError, EOFError, csv.Error) as error:
            raise CommandError(
                f"Reading ended: {error}. Loaded before: {self.loaded.stored} events."
            ) from error
        except DatabaseError as error:
            raise CommandError(f"The store refused: {error}. Try again.") from error
        if dry_run:
            summary = f"Would load {self.usable} events, less those known before; "
        else:
            summary = f"Loaded {self.loaded.stored} events; known before {self.loaded.known}, "
        summary += f"bad lines left out {self.bad}"
        self.stdout.write(self.style.SUCCESS(summary))

    def load(self, lines: Iterator[tuple[int, Event]]) -> None:
        batch: list[tuple[int, Event]] = []
        try:
            for line in lines:
                batch.append(line)
                if len(batch) == BATCH:
                    self.store(batch)
                    batch = []
                    let_others_write()
        finally:
            self.store(batch)

    def store(self, batch: list[tuple[int, Event]]) -> None:
        self.usable += len(batch)
        if self.is_dry_run:
            return
        recorded = services.record_events([event for _, event in batch], at=timezone.now())
        self.loaded.stored += recorded.stored
        self.loaded.known += recorded.known
        for place, conflict in recorded.conflicts.items():
            self.report(batch[place][0], str(conflict))

    def usable_lines(self, text: TextIO) -> Iterator[tuple[int, Event]]:
        """Each good line's number and event; bad ones are reported."""
        csv.field_size_limit(MAX_FIELD_LENGTH)
        rows = csv.DictReader(text, restkey="")
        names = columns(rows.fieldnames or [])
        serializer = EventSerializer()
        # Without an id, a second load could not tell what it loaded before.
        serializer.fields["id"].required = True
        for row in rows:
            content = {field: row[name] for name, field in names.items() if row[name]}
            if "" in row:
                self.report(rows.line_num, "more fields than columns")
            elif not "".join(content.values()).isascii() and not is_utf8(content):
                self.report(rows.line_num, "not UTF-8")
            else:
                try:
                    checked = plainly_good(content) or serializer.run_validation(content)
                    yield rows.line_num, Event(**checked)
                except ValidationError as error:
                    self.report(rows.line_num, spoken(error))

    def report(self, line: int, reason: str) -> None:
        self.bad += 1
        tqdm.write(f"line {line}: {reason}", file=sys.stderr)


def columns(header: Sequence[str]) -> dict[str, str]:
    """Each column of the file that we know, and our name for it.

    :raises CommandError: if one is missing or comes twice.
    """
    if not header:
        raise CommandError("The file is empty: not even a first line that names the columns.")
    names = {name: NAMES.get(name.strip(), name.strip()) for name in header}
    fields = [field for field in names.values() if field in FIELDS]
    if missing := FIELDS - set(fields):
        raise CommandError(
            f"The first line must name the columns; missing: {', '.join(sorted(missing))}. "
            f"Allowed names: {', '.join(sorted(FIELDS | set(NAMES)))}."
        )
    if len(fields) > len(FIELDS) or len(names) < len(header):
        raise CommandError("The first line names a column twice.")
    return {name: field for name, field in names.items() if field in FIELDS}


def is_utf8(content: dict[str, str]) -> bool:
    """Whether all of it was UTF-8; what was not has become surrogates."""
    try:
        "".join(content.values()).encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def opened(file: Path) -> Iterator[TextIO]:
    """The file's text, unpacked if need be, with a bar that shows how far it was read."""
    size = file.stat().st_size
    counted: Any
    with (
        file.open("rb") as raw,
        tqdm.wrapattr(raw, "read", total=size, desc=file.name, disable=None) as counted,
    ):
        plain = gzip.GzipFile(fileobj=counted) if file.suffix.lower() == ".gz" else counted
        yield TextIOWrapper(plain, encoding="utf-8-sig", errors="surrogateescape", newline="")


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
            "night_of_stay": to_day(content["night_of_stay"]),
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
