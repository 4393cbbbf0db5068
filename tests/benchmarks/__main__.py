"""Run the benchmarks that are named, or all, and print one table."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from importlib import import_module

from . import ROOT
from .report import Row, markdown, put_into

BENCHMARKS = {
    "analysis": "analysis", "scaling": "analysis", "cold": "commands", "codegen": "commands",
    "construction": "modules", "passes": "modules", "overhead": "modules",
    "pictures": "pictures", "loading": "weights", "memory": "weights", "inference": "weights",
}  # fmt: skip
"""The benchmarks, and the files they are in."""


def benchmark(name: str) -> Callable[[int], Iterator[Row]]:
    """A benchmark by its name."""
    found: Callable[[int], Iterator[Row]] = getattr(import_module(f"{__package__}.{BENCHMARKS[name]}"), name)
    return found


def main() -> int:
    """Measure and print; 1 if a budget is exceeded."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all if none is given")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of each measurement (default: %(default)s)")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md, too")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - BENCHMARKS.keys()
    if unknown or arguments.rounds < 1:
        parser.error(f"there is no benchmark {', '.join(unknown)}" if unknown else "at least one round")
    os.chdir(ROOT)
    rows = []
    for name in arguments.names or BENCHMARKS:
        for row in benchmark(name)(arguments.rounds):
            print("  ".join(filter(None, row.cells)), file=sys.stderr, flush=True)
            rows.append(row)
    print(markdown(rows))
    if arguments.readme:
        put_into(ROOT / "README.md", markdown(rows))
    return 1 if any(row.kept is False for row in rows) else 0


sys.exit(main())
