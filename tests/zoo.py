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
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

TABLE = Path(__file__).with_name("zoo.md")


class Outcome(NamedTuple):
    """What came of one model."""

    name: str
    family: str
    """The module of timm that it is from."""
    kind: str
    """`exact`, `inexact`, `refused` or `fails`."""
    lines: int
    reason: str
    seconds: float


def tried(name: str) -> Outcome:
    """Import one model, at a small size if it runs at that."""
    import timm

    began = time.monotonic()
    try:
        model = timm.create_model(name, pretrained=False)
    except Exception as error:  # some need packages that are not here
        return Outcome(name, "", "fails", 0, _short(f"creating it raised {error}"), time.monotonic() - began)
    family = type(model).__module__.rpartition(".")[2]
    kind, lines, reason = "", 0, ""
    for size in _sizes(model):
        kind, lines, reason = _of(model, size)
        if "running it" not in reason:
            break
    return Outcome(name, family, kind, lines, reason, time.monotonic() - began)


def _of(model: Any, size: tuple[int, ...]) -> tuple[str, int, str]:
    """What comes of a model at one size, the lines of the spec, and why it is not exact."""
    import archspec

    try:
        spec = archspec.from_module(model, input=size, name="net", allow_inexact=True)
    except archspec.SpecError as error:
        reason = "; ".join(dict.fromkeys(found.message for found in error.diagnostics))
        return "fails" if "no valid spec" in reason or "internal error" in reason else "refused", 0, _short(reason)
    except Exception as error:  # an error of the importer itself: to be mended
        return "fails", 0, _short(f"{type(error).__name__}: {error}")
    assert spec.report is not None
    reason = "; ".join(f"{check.name}: {check.detail.splitlines()[0]}" for check in spec.report.differences)
    return "exact" if spec.report.exact else "inexact", spec.text.count("\n"), _short(reason)


def _short(text: str) -> str:
    return " ".join(text.split())[:200]


def _sizes(model: Any) -> list[tuple[int, ...]]:
    """A small picture, unless the model is for one size, and the model's own."""
    config = getattr(model, "pretrained_cfg", {})
    own = tuple(config.get("input_size", (3, 224, 224)))
    return [own] if config.get("fixed_input_size") else [(3, 96, 96), own]


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as Markdown, by family."""
    counts = Counter(outcome.kind for outcome in outcomes)
    head = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    rows = [f"| {o.family} | `{o.name}` | {o.kind} | {o.lines or '–'} | {o.reason.replace('|', '/')} |"
            for o in sorted(outcomes, key=lambda o: (o.family, o.name))]  # fmt: skip
    return "\n".join([f"{len(outcomes)} models of timm: {head}.", "", "| family | model | | lines | why not |",
                      "| --- | --- | --- | --- | --- |", *rows, ""])  # fmt: skip


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
