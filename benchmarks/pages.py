"""Time per page and memory of the server, while a client follows ``Link`` over a million events."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import requests

from benchmarks import sample_events
from benchmarks.harness import (
    Server,
    format_number,
    median,
    scratch_databases,
    serving,
    table,
    times,
)

ONE_INSTANT = sample_events.FIRST


@dataclass
class Walk:
    """The measurements of one client from the first page to the last."""

    events: int
    seconds: list[float]  # of each page
    memory: list[float]  # MiB after each page

    def row(self, name: str) -> tuple[str, ...]:
        tenth = max(3, len(self.seconds) // 10)
        first, last = median(self.seconds[:tenth]), median(self.seconds[-tenth:])
        return (
            name,
            format_number(first * 1000),
            format_number(last * 1000),
            times(last, first),
            format_number(self.memory[tenth]),
            format_number(max(self.memory[tenth:])),
        )


def run(*, quick: bool) -> Iterator[str]:
    count, at_once = (100_000, 50_000) if quick else (1_000_000, 200_000)
    rows = []
    for store, aliases in {"PostgreSQL": ["dataprovider"], "SQLite": []}.items():
        rows.append(walk(aliases, count).row(f"{store}, {count:,} events"))
        tied = walk(aliases, at_once, at=ONE_INSTANT)
        rows.append(tied.row(f"{store}, {at_once:,} at one timestamp"))
    yield table(
        "GET /events?limit=10000, page by page",
        ["", "first ms", "last ms", "last/first", "MiB at first", "MiB at most"],
        rows,
    )


def walk(aliases: list[str], count: int, at: datetime | None = None) -> Walk:
    with ExitStack() as stack:
        databases = stack.enter_context(scratch_databases(*aliases, SERVICES="dataprovider"))
        sample_events.insert(databases, count, at=at)
        server = stack.enter_context(serving(databases.env))
        result = read_all(server)
    assert result.events == count, f"{result.events} of {count} events"
    return result


def read_all(server: Server) -> Walk:
    result = Walk(0, [], [])
    url, last_key = f"{server.url}/events?limit=10000", ("", 0)
    with requests.Session() as session:
        session.get(url)
        while url:
            started = time.perf_counter()
            response = session.get(url, timeout=60)
            result.seconds.append(time.perf_counter() - started)
            result.memory.append(server.memory())
            events = json.loads(response.content)
            keys = [last_key, *((event["timestamp"], event["id"]) for event in events)]
            assert all(key < next_key for key, next_key in pairwise(keys))
            last_key = keys[-1]
            result.events += len(events)
            url = response.links.get("next", {}).get("url")
    return result
