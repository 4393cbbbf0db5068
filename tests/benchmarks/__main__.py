"""Run some benchmarks, by default all, and print one table."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from importlib import import_module

from . import ROOT
from .report import PAGE, README, Row, highlights, markdown, put_into

BENCHMARKS = {
    "analysis": "analysis", "scaling": "analysis", "cold": "commands", "codegen": "commands",
    "construction": "modules", "passes": "modules", "overhead": "modules",
    "accuracy": "training", "throughput": "training",
    "images": "images", "loading": "weights", "memory": "weights", "inference": "weights",
}  # fmt: skip
"""Each benchmark with the module it is in."""


def benchmark(name: str) -> Callable[[int], Iterator[Row]]:
    """A benchmark by its name."""
    found: Callable[[int], Iterator[Row]] = getattr(import_module(f"{__package__}.{BENCHMARKS[name]}"), name)
    return found


def main() -> int:
    """Measure and print; returns 1 if a budget is exceeded."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of each measurement (default: %(default)s)")
    parser.add_argument(
        "--readme",
        action="store_true",
        help="write the table to tests/benchmarks/README.md, and six of its rows to README.md",
    )
    arguments = parser.parse_args()
    unknown = set(arguments.names) - BENCHMARKS.keys()
    if unknown or arguments.rounds < 1:
        parser.error(f"unknown benchmark {', '.join(sorted(unknown))}" if unknown else "--rounds expects 1 or more")
    if arguments.readme and arguments.names:
        parser.error("--readme needs all benchmarks: leave out NAME")
    os.chdir(ROOT)
    rows = []
    for name in arguments.names or BENCHMARKS:
        for row in benchmark(name)(arguments.rounds):
            print("  ".join(filter(None, row.cells)), file=sys.stderr, flush=True)
            rows.append(row)
    print(markdown(rows))
    if arguments.readme:
        put_into(PAGE, markdown(rows))
        put_into(README, markdown(highlights(rows)))
    return 1 if any(row.kept is False for row in rows) else 0


sys.exit(main())
