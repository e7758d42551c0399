"""The cost of API keys and rate limits per request."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

from benchmarks.harness import (
    Databases,
    Load,
    Server,
    format_number,
    median_loads,
    run_python,
    scratch_databases,
    serving,
    table,
    table_of_loads,
    wrk,
)
from benchmarks.stats import BODY, CONNECTIONS, LUA, SPREAD

SIDES = {
    "no key, no limit": {"API_KEYS_REQUIRED": "false", "RATE_LIMIT": "off"},
    "a key": {"API_KEYS_REQUIRED": "true", "RATE_LIMIT": "off"},
    "a key and a limit": {"API_KEYS_REQUIRED": "true", "RATE_LIMIT": "100000000/minute"},
}
# The check alone, without a server, with a thousand keys in the database.
CALLS = """
import django, os, timeit
django.setup()
from common.api.fast_path import is_allowed
from common.api_keys.models import ApiKey
for number in range(999):
    ApiKey.objects.create_key(name=str(number), services=["stats"])
_, key = ApiKey.objects.create_key(name="one", services=["stats"])
def microseconds(key):
    environ = {"HTTP_AUTHORIZATION": f"Api-Key {key}", "REMOTE_ADDR": "127.0.0.1"}
    is_allowed(environ, "stats")
    return min(timeit.repeat(lambda: is_allowed(environ, "stats"), number=10_000, repeat=5)) * 100
print(microseconds(key), microseconds("abcdefgh.unknown"))
"""


def run(*, quick: bool) -> Iterator[str]:
    seconds, rounds = (2, 3) if quick else (4, 5)
    yield calls()
    yield loads("POST /messages", post, seconds=seconds, rounds=rounds)
    yield loads("GET /dashboard", get, seconds=seconds, rounds=rounds)


def calls() -> str:
    rows = []
    for name, env in SIDES.items():
        with scratch_databases(**env, DJANGO_SETTINGS_MODULE="config.settings") as databases:
            known, unknown = map(float, run_python("-c", CALLS, env=databases.env).split())
        rows.append(
            (
                name,
                format_number(known),
                format_number(unknown) if name.startswith("a key") else "–",
            )
        )
    return table("Check of a request, 1,000 keys", ["", "known key µs", "unknown key µs"], rows)


def loads(
    title: str, request: Callable[[Server, str, int], Load], *, seconds: int, rounds: int
) -> str:
    with ExitStack() as stack:
        databases = stack.enter_context(scratch_databases("default"))
        key = make_key(databases)
        servers = {
            name: stack.enter_context(serving(databases.env | env)) for name, env in SIDES.items()
        }
        sides: dict[str, Callable[[], Load]] = {
            name: partial(request, server, key, seconds) for name, server in servers.items()
        }
        loads_by_side = median_loads(sides, rounds=rounds, warm_up=True)
    return table_of_loads(
        f"{title}, {CONNECTIONS} connections",
        loads_by_side,
        base="no key, no limit",
        ratio="without is",
    )


def make_key(databases: Databases) -> str:
    command = ["manage.py", "create_api_key", "benchmark", "--services", "stats,dashboard"]
    return run_python(*command, env=databases.env).strip()


def post(server: Server, key: str, seconds: int) -> Load:
    plain = '["Content-Type"] = "application/json"'
    script = LUA.replace(plain, f'{plain}, ["Authorization"] = "Api-Key {key}"')
    url = f"{server.url}/messages"
    return wrk(url, seconds=seconds, connections=CONNECTIONS, script=script % (BODY, SPREAD))


def get(server: Server, key: str, seconds: int) -> Load:
    url = f"{server.url}/dashboard?hotel_id=1&year=2020"
    header = f"Authorization: Api-Key {key}"
    return wrk(url, seconds=seconds, connections=CONNECTIONS, headers=[header])
