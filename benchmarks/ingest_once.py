"""Run one side of the ingestion benchmark in its own process. Print events and seconds."""

import os
import sys
import time

import django


def main(side: str, count: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from django.utils import timezone

    from benchmarks.naive import ingest
    from dashboard.services.ingestion import ingest_events

    sides = {
        "one by one": lambda: ingest.one_by_one(count),
        "page by page": lambda: ingest.page_by_page(count),
        "ours": lambda: ingest_events(at=timezone.now()).stored,
    }
    started = time.perf_counter()
    stored = sides[side]()
    print(stored, time.perf_counter() - started)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
