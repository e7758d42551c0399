"""``make bench``, or ``python -m benchmarks [name …] [--quick]``: run benchmarks, print tables."""

import argparse
import importlib
import signal
import sys
from typing import Any

from benchmarks import harness

BENCHMARKS = [
    "ingestion",
    "report",
    "pages",
    "stats",
    "repairjobs",
    "scaling",
    "keys",
    "functions",
]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="less of all, for a first look")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; one of {', '.join(BENCHMARKS)}")
    # A polite end, so that databases and servers go with us.
    signal.signal(signal.SIGTERM, leave)
    print(f"{harness.machine()}\n", flush=True)
    for name in asked.names or BENCHMARKS:
        for text in importlib.import_module(f"benchmarks.{name}").run(quick=asked.quick):
            print(text, flush=True)


def leave(signum: int, frame: Any) -> None:
    sys.exit(128 + signum)


if __name__ == "__main__":
    main()
