"""Imports models of timm, and says of each whether it is exact.

python -m tests.zoo resnet18 regnety_002    these
python -m tests.zoo --sample 20             each 20th of all architectures; --write writes the table tests/zoo.md

The pictures are small where a model takes such. This is a benchmark, not a test: it takes hours for all.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_name("zoo.md")


class Outcome(NamedTuple):
    """What came of one model."""

    name: str
    kind: str
    """`exact`, `inexact`, `refused` or `fails`."""
    lines: int
    reason: str
    seconds: float


def tried(name: str) -> Outcome:
    """Import one model."""
    import timm

    import archspec

    began = time.monotonic()
    try:
        model = timm.create_model(name, pretrained=False)
        spec = archspec.from_module(model, input=_size(model), name="net", allow_inexact=True)
    except archspec.SpecError as error:
        reason = "; ".join(dict.fromkeys(found.message for found in error.diagnostics))
        kind = "fails" if "no valid spec" in reason else "refused"
        return Outcome(name, kind, 0, reason[:200], time.monotonic() - began)
    except Exception as error:  # an error of the importer itself: to be mended
        return Outcome(name, "fails", 0, f"{type(error).__name__}: {error}"[:200], time.monotonic() - began)
    assert spec.report is not None
    reason = "; ".join(f"{check.name}: {check.detail.splitlines()[0]}" for check in spec.report.differences)
    kind = "exact" if spec.report.exact else "inexact"
    return Outcome(name, kind, spec.text.count("\n"), reason[:200], time.monotonic() - began)


def _size(model: object) -> tuple[int, ...]:
    """A small picture, unless the model is for one size."""
    config = getattr(model, "pretrained_cfg", {})
    size = tuple(config.get("input_size", (3, 224, 224)))
    return size if config.get("fixed_input_size") else (3, 96, 96)


def table(outcomes: list[Outcome]) -> str:
    """The outcomes as Markdown."""
    counts = Counter(outcome.kind for outcome in outcomes)
    head = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    rows = [f"| `{o.name}` | {o.kind} | {o.lines or '–'} | {o.reason.replace('|', '/')} |" for o in outcomes]
    return "\n".join([f"{len(outcomes)} models of timm: {head}.", "", "| model | | lines | why |",
                      "| --- | --- | --- | --- |", *rows, ""])  # fmt: skip


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--sample", type=int, default=1, metavar="N", help="try each N-th architecture only")
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.name}")
    given = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    import oracle  # noqa: F401  # torchvision, which timm imports, cannot be imported before it
    import timm

    outcomes: list[Outcome] = []
    for name in given.names or timm.list_models()[:: given.sample]:
        outcomes.append(tried(name))
        print(*outcomes[-1], flush=True)
    if given.write:
        TABLE.write_text(table(outcomes), encoding="utf-8")
    print(table(outcomes).splitlines()[0])


if __name__ == "__main__":
    main()
