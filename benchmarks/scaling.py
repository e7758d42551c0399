"""One web process compared with two on one PostgreSQL."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

from benchmarks.harness import (
    Load,
    format_number,
    median_loads,
    scratch_databases,
    serving,
    table,
    times,
    wrk,
)
from benchmarks.stats import BODY, CONNECTIONS, HOT, LUA, SPREAD

LOADS = {
    "POST /messages": ("/messages", LUA % (BODY, SPREAD)),
    "POST /messages, one hot key": ("/messages", LUA % (BODY, HOT)),
    "GET /stats of a customer": ("/stats?customerId=1", None),
}


def run(*, quick: bool) -> Iterator[str]:
    rounds, seconds = (1, 2) if quick else (5, 4)
    with scratch_databases("default", SERVICES="stats") as databases, ExitStack() as processes:
        urls = [processes.enter_context(serving(databases.env)).url for _ in range(2)]
        loads = {
            name: compare(urls, path, script, rounds=rounds, seconds=seconds)
            for name, (path, script) in LOADS.items()
        }
    yield table(
        f"One web process and two, {CONNECTIONS} connections in all, one PostgreSQL",
        ["", "one: requests/s", "p99 ms", "two: requests/s", "p99 ms", "two are"],
        [
            (
                name,
                format_number(one.per_second),
                format_number(one.p99),
                format_number(two.per_second),
                format_number(two.p99),
                times(two.per_second, one.per_second),
            )
            for name, (one, two) in loads.items()
        ],
    )


def compare(
    urls: Sequence[str], path: str, script: str | None, *, rounds: int, seconds: int
) -> tuple[Load, Load]:
    """Return the load of the first process alone, and of all."""
    measure = partial(load_all, path=path, script=script, seconds=seconds)
    sides = {"one": partial(measure, urls[:1]), "two": partial(measure, urls)}
    loads = median_loads(sides, rounds=rounds)
    return loads["one"], loads["two"]


def load_all(urls: Sequence[str], *, path: str, script: str | None, seconds: int) -> Load:
    """Load all processes at once, with the same number of connections in total."""
    load = partial(wrk, seconds=seconds, connections=CONNECTIONS // len(urls), script=script)
    with ThreadPoolExecutor(len(urls)) as pool:
        loads = list(pool.map(load, [url + path for url in urls]))
    return Load(
        per_second=sum(load.per_second for load in loads),
        p50=max(load.p50 for load in loads),
        p99=max(load.p99 for load in loads),
        not_ok=sum(load.not_ok for load in loads),
    )
