"""``POST /messages``, ``POST /messages/batch`` and ``GET /stats``.

Each is compared with a plain Django implementation and, for writes, with the database's own limit.
"""

import io
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

import psycopg2
import requests

from benchmarks.harness import (
    Databases,
    Load,
    Server,
    format_number,
    interleaved,
    median,
    median_loads,
    run_python,
    scratch_databases,
    serving,
    table,
    table_of_loads,
    times,
    wrk,
)
from local.launcher import WEB_THREADS

NAIVE = "benchmarks.naive.wsgi:application"
CONNECTIONS = 32
CUSTOMERS = 1_000
BATCH = 10_000
NAIVE_BATCH = 500
BATCHES_PER_ROUND = 5
HOTTEST = 1

# Each request has a new uuid. The two %s are the body and the customer id.
LUA = """
local file = io.open("/dev/urandom", "rb")
local a, b, c, d = file:read(4):byte(1, 4)
file:close()
math.randomseed(a + 256 * b + 65536 * c + 16777216 * d)
local random, headers = math.random, {["Content-Type"] = "application/json"}
request = function()
  local uuid = string.format("%%08x-%%04x-4%%03x-8%%03x-%%04x%%08x", random(0, 0xffffffff),
    random(0, 0xffff), random(0, 0xfff), random(0, 0xfff), random(0, 0xffff),
    random(0, 0xffffffff))
  return wrk.format("POST", nil, headers, string.format('%s', %s, uuid))
end
"""
BODY = '{"customerId": %d, "type": "A", "amount": "0.012", "uuid": "%s"}'
NAIVE_BODY = '{"customer_id": %d, "type": "A", "amount_thousandths": 12, "uuid": "%s"}'
SPREAD, HOT = f"random(1, {CUSTOMERS})", "1"


def run(*, quick: bool) -> Iterator[str]:
    seconds, rounds = (2, 2) if quick else (4, 5)
    yield singles(["default"], "PostgreSQL", seconds=seconds, rounds=rounds)
    yield singles([], "SQLite", seconds=seconds, rounds=rounds)
    yield batches(rounds=rounds)
    yield reports(100_000 if quick else 1_000_000, seconds=seconds, rounds=rounds)


# --- POST /messages --------------------------------------------------------------------------


def singles(aliases: list[str], engine: str, *, seconds: int, rounds: int) -> str:
    post = partial(posting, seconds=seconds)
    with ExitStack() as stack:
        databases = stack.enter_context(scratch_databases(*aliases))
        ours = stack.enter_context(serving(databases.env | {"SERVICES": "stats"}))
        naive = stack.enter_context(serving(databases.env, app=NAIVE))
        sides: dict[str, Callable[[], Load]] = {
            "DRF ModelViewSet, get_or_create, F()": partial(post, naive, NAIVE_BODY, SPREAD),
            "ours": partial(post, ours, BODY, SPREAD),
            "ours, one hot key": partial(post, ours, BODY, HOT),
        }
        if aliases:
            sides["the limit: pgbench, the same statement"] = partial(
                pgbench, databases.urls["default"], seconds=seconds
            )
        loads = median_loads(sides, rounds=rounds, warm_up=True)
        assert "No difference" in run_python("manage.py", "verify_stats", env=databases.env)
    return table_of_loads(
        f"POST /messages, {CONNECTIONS} connections, {WEB_THREADS} threads, {engine}",
        loads,
        base="ours",
        ratio="ours is",
        unit="messages",
    )


def posting(server: Server, body: str, customer: str, *, seconds: int) -> Load:
    script = LUA % (body, customer)
    url = f"{server.url}/messages"
    return wrk(url, seconds=seconds, connections=CONNECTIONS, script=script)


def pgbench(url: str, *, seconds: int) -> Load:
    """Return the load of pgbench: one session per connection, one message per transaction."""
    program = shutil.which("pgbench")
    if program is None:
        sys.exit("pgbench is not installed: apt-get install postgresql-contrib")
    values = ["ARRAY[gen_random_uuid()]", "ARRAY[:c]", "'{A}'", "'{12}'", "ARRAY[now()]"]
    statement = insert_statement()
    for value in values:
        statement = statement.replace("%s", value, 1)
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(f"\\set c random(1, {CUSTOMERS})\n{' '.join(statement.split())};\n")
        script.flush()
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [program, "--no-vacuum", f"--file={script.name}", f"--client={CONNECTIONS}",
                 "--jobs=1", f"--time={seconds}", "--log", f"--log-prefix={folder}/log", url],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
            latencies = sorted(
                int(line.split()[2])
                for path in Path(folder).iterdir()
                for line in path.read_text().splitlines()
            )
    count = len(latencies)
    median_latency, p99 = latencies[count // 2] / 1e3, latencies[count * 99 // 100] / 1e3
    return Load(count / seconds, median_latency, p99, 0)


def insert_statement() -> str:
    """Return the service's SQL, from a process that has Django's settings."""
    source = (
        "import django; django.setup(); "
        "from stats.services.bulk_insert import INSERT_AND_COUNT; print(INSERT_AND_COUNT)"
    )
    with tempfile.TemporaryDirectory() as folder:
        env = {"DJANGO_SETTINGS_MODULE": "config.settings", "DATA_DIR": folder, "SECRET_KEY": "x"}
        return run_python("-c", source, env=env)


# --- POST /messages/batch --------------------------------------------------------------------


def batches(*, rounds: int) -> str:
    with ExitStack() as stack:
        databases = stack.enter_context(scratch_databases("default"))
        ours = stack.enter_context(serving(databases.env | {"SERVICES": "stats"}))
        naive = stack.enter_context(serving(databases.env, app=NAIVE))
        session = stack.enter_context(requests.Session())
        sides = {
            "DRF many=True": partial(post_naive_batch, session, naive),
            "ours": partial(post_batches, session, ours, "application/json"),
            "ours, NDJSON": partial(post_batches, session, ours, "application/x-ndjson"),
            "the limit: COPY and one grouped upsert": partial(copy_batches, databases),
        }
        for measure in sides.values():
            measure()
        speeds_by_side = interleaved(sides, rounds=rounds)
    speeds = {name: median(each) for name, each in speeds_by_side.items()}
    return table(
        f"Batches of {BATCH:,} messages, one after another, PostgreSQL",
        ["", "messages/s", "ours is"],
        [
            (name, format_number(speed), times(speeds["ours"], speed))
            for name, speed in speeds.items()
        ],
    )


def draw_keys(size: int) -> list[tuple[str, int]]:
    """Return pairs of a new uuid and a customer id."""
    return [(str(uuid4()), number % CUSTOMERS) for number in range(size)]


def post_batches(session: requests.Session, server: Server, media_type: str) -> float:
    """Return messages per second over HTTP, with validation and results."""
    bodies = []
    for _ in range(BATCHES_PER_ROUND):
        messages = [BODY % (customer, uuid) for uuid, customer in draw_keys(BATCH)]
        is_array = media_type == "application/json"
        bodies.append(f"[{','.join(messages)}]" if is_array else "\n".join(messages))
    started = time.perf_counter()
    for body in bodies:
        headers = {"Content-Type": media_type}
        answer = session.post(f"{server.url}/messages/batch", body, headers=headers, timeout=60)
        assert answer.json()["accepted"] == BATCH, answer.text
    return BATCHES_PER_ROUND * BATCH / (time.perf_counter() - started)


def post_naive_batch(session: requests.Session, server: Server) -> float:
    body = (
        f"[{','.join(NAIVE_BODY % (customer, uuid) for uuid, customer in draw_keys(NAIVE_BATCH))}]"
    )
    headers = {"Content-Type": "application/json"}
    started = time.perf_counter()
    answer = session.post(f"{server.url}/messages", body, headers=headers, timeout=60)
    assert len(answer.json()) == NAIVE_BATCH
    return NAIVE_BATCH / (time.perf_counter() - started)


def copy_batches(databases: Databases) -> float:
    """Return messages per second into the same tables, without parsing or validation."""
    at = datetime.now(UTC)
    rows = [
        "".join(f"{uuid}\t{customer}\tA\t12\t{at}\n" for uuid, customer in draw_keys(BATCH))
        for _ in range(BATCHES_PER_ROUND)
    ]
    connection = psycopg2.connect(databases.urls["default"])
    started = time.perf_counter()
    for batch in rows:
        with connection, connection.cursor() as cursor:
            cursor.copy_expert(
                "COPY stats_message (uuid, customer_id, type, amount_thousandths, timestamp) "
                "FROM STDIN",
                io.StringIO(batch),
            )
            cursor.execute(
                "INSERT INTO stats_dailytotal AS total "
                "(customer_id, type, day, messages, amount_thousandths) "
                "SELECT customer, 'A', %s, count(*), sum(12) "
                "FROM unnest(%s) AS customer GROUP BY customer ORDER BY customer "
                "ON CONFLICT (customer_id, type, day) DO UPDATE SET "
                "messages = total.messages + excluded.messages, "
                "amount_thousandths = total.amount_thousandths + excluded.amount_thousandths",
                [at.date(), [number % CUSTOMERS for number in range(BATCH)]],
            )
    seconds = time.perf_counter() - started
    connection.close()
    return BATCHES_PER_ROUND * BATCH / seconds


# --- GET /stats ------------------------------------------------------------------------------


def reports(messages: int, *, seconds: int, rounds: int) -> str:
    with ExitStack() as stack:
        databases = stack.enter_context(scratch_databases("default"))
        started = time.perf_counter()
        run_python("manage.py", "seed_messages", f"--messages={messages}", env=databases.env)
        seeding_seconds = time.perf_counter() - started
        databases.settle("default", "stats_message", "stats_dailytotal")
        ours = stack.enter_context(serving(databases.env | {"SERVICES": "stats"}))
        naive = stack.enter_context(serving(databases.env, app=NAIVE))
        year = datetime.now(UTC).year
        naive_query = f"customer_id={HOTTEST}&year={year}"
        query = f"customerId={HOTTEST}&from={year}-01-01&to={year}-12-31"
        urls = {
            "the indexed messages, added up": f"{naive.url}/stats?{naive_query}",
            "ours": f"{ours.url}/stats?{query}",
            "ours, by month": f"{ours.url}/stats?{query}&interval=month",
        }
        sums = [
            sum(row["count"] for row in requests.get(url, timeout=60).json())
            for url in urls.values()
        ]
        assert len(set(sums)) == 1, sums
        sides = {name: partial(wrk, url, seconds=seconds) for name, url in urls.items()}
        loads = median_loads(sides, rounds=rounds)
    title = f"GET /stats, a year of the hottest of 2,000 customers, {messages:,} messages"
    return table_of_loads(
        f"{title} (seeded in {seeding_seconds:.0f} s)", loads, base="ours", ratio="ours is"
    )
