"""``python -m benchmarks [name …] [--quick]`` (``make bench``): run benchmarks, print tables."""

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
    parser.add_argument(
        "--quick", action="store_true", help="less data and fewer rounds, for a first impression"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}. Choose from {', '.join(BENCHMARKS)}.")
    # Exit with an exception on SIGTERM, so that databases and servers are deleted.
    signal.signal(signal.SIGTERM, exit_on_signal)
    print(f"{harness.machine()}\n", flush=True)
    for name in arguments.names or BENCHMARKS:
        for text in importlib.import_module(f"benchmarks.{name}").run(quick=arguments.quick):
            print(text, flush=True)


def exit_on_signal(signum: int, frame: Any) -> None:
    sys.exit(128 + signum)


if __name__ == "__main__":
    main()
