"""Imports models of timm, and says of each whether it is exact.

python -m tests.zoo resnet18 regnety_002            these
python -m tests.zoo --vocabulary FILE               the smallest of each vocabulary, by the records of tests.vocabulary
python -m tests.zoo --sample 20                     each 20th of all architectures

Each is imported in a process of its own, for at most `--limit` seconds, on a small picture where a model takes such;
`--workers` processes run at a time. Outcomes are kept in tests/zoo.jsonl (or `--records FILE`), a line for each, which
a later run goes on from; with `--again "too long"` it tries those again. `--write` writes the table tests/zoo.md. This
is a benchmark, not a test: it takes hours for all.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from multiprocessing.pool import ThreadPool
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

TABLE = Path(__file__).with_name("zoo.md")

RECORDS = Path(__file__).with_name("zoo.jsonl")

KINDS = ("exact", "inexact", "refused", "too large", "too long", "fails")
"""`too large` for the proof's limit of memory, `too long` for that of a run; `fails` if the model cannot be created, or
by a fault of the importer."""

SMALL = (3, 96, 96)
"""The picture that is tried first."""

SIDE = 112
"""Of the picture that models for one size are tried on, made for it: patches of 4, 7, 8, 14 and 16 divide it."""


class Outcome(NamedTuple):
    """What came of one model."""

    name: str
    family: str
    """The module of timm that it is from."""
    kind: str
    """One of `KINDS`."""
    lines: int
    reason: str
    seconds: float


def tried(name: str, memory: float) -> Outcome:
    """Import one model, at a small size if it runs at that; its proof takes no more than `memory` GiB."""
    import timm
    import torch

    warnings.simplefilter("ignore")
    began = time.monotonic()

    def ended(family: str, kind: str, lines: int, reason: str) -> Outcome:
        return Outcome(name, family, kind, lines, reason, round(time.monotonic() - began, 1))

    try:
        with torch.device("meta"):
            model = timm.create_model(name, pretrained=False)
    except Exception as error:  # some need packages that are not here
        return ended("", "fails", 0, _short(f"creating it raised {error}"))
    family = type(model).__module__.rpartition(".")[2]
    weights = sum(tensor.nbytes for tensor in model.parameters())
    if 4 * weights > memory * 2**30:  # the proof holds two modules and their gradients
        return ended(family, "too large", 0, f"the weights alone take {weights / 2**30:.1f} GiB")
    kind, lines, reason = "", 0, ""
    for size, args in _attempts(model, name):
        kind, lines, reason = _of(name, size, args, memory)
        if kind in ("exact", "inexact"):
            break
    return ended(family, kind, lines, reason)


def _of(name: str, size: tuple[int, ...], args: Mapping[str, Any], memory: float) -> tuple[str, int, str]:
    """What comes of a model at one size, the lines of the spec, and why it is not exact."""
    import timm

    import archspec

    try:
        args = {"model_name": name, "pretrained": False, **args}
        spec = archspec.from_module(
            timm.create_model, args=args, input=size, name="net", allow_inexact=True, max_memory=f"{memory}GiB"
        )
    except archspec.SpecError as error:
        reason = "; ".join(dict.fromkeys(found.message for found in error.diagnostics))
        notes = " ".join(note for found in error.diagnostics for note in found.notes if "no valid spec" in reason)
        if all(found.kind == "limit" for found in error.diagnostics):
            return "too large", 0, _short(reason)
        kind = "fails" if "no valid spec" in reason or "internal error" in reason else "refused"
        return kind, 0, _short(f"{reason} {notes}")
    except Exception as error:  # an error of the importer itself: to be mended
        return "fails", 0, _short(f"{type(error).__name__}: {error}")
    assert spec.report is not None
    reason = "; ".join(f"{check.name}: {check.detail.splitlines()[0]}" for check in spec.report.differences)
    return "exact" if spec.report.exact else "inexact", spec.text.count("\n"), _short(reason)


def _short(text: str) -> str:
    return " ".join(text.split())[:200]


def _attempts(model: Any, name: str) -> list[tuple[tuple[int, ...], dict[str, Any]]]:
    """The inputs to try it on, and the arguments that it is made with: a small picture, then the model's own.

    A small one counts only where the same functions run, equally often: padding or windows may depend on the size.
    """
    config = getattr(model, "pretrained_cfg", {})
    own = tuple(config.get("input_size", (3, 224, 224)))
    small, args = ((3, SIDE, SIDE), {"img_size": SIDE}) if config.get("fixed_input_size") else (SMALL, {})
    calls = _calls(name, small, args)
    return [*([(small, args)] if calls is not None and calls == _calls(name, own, {}) else []), (own, {})]


def _calls(name: str, size: tuple[int, ...], args: Mapping[str, Any]) -> Counter[str] | None:
    """How often which function runs at a size, or `None` if the model cannot be made for it."""
    import timm
    import torch
    from torch.overrides import TorchFunctionMode, resolve_name

    calls: Counter[str] = Counter()

    class Counting(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            calls[str(resolve_name(func))] += 1
            return func(*args, **(kwargs or {}))

    try:
        with torch.device("meta"), torch.no_grad():
            model = timm.create_model(name, pretrained=False, **args)
            with Counting():
                model(torch.empty(2, *size))
    except Exception:  # what it does not take is said in many ways
        return None
    return calls


def in_process(name: str, limit: float, memory: float) -> Outcome:
    """The same in a process of its own, which is ended after `limit` seconds."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=lambda: theirs.send(tried(name, memory)))
    process.start()
    theirs.close()
    try:
        if ours.poll(limit):
            return Outcome(*ours.recv())
        return Outcome(name, "", "too long", 0, f"more than {limit:.0f} s", limit)
    except EOFError:
        return Outcome(name, "", "fails", 0, "its process ended: out of memory", 0)
    finally:
        process.kill()
        process.join()


def smallest(vocabulary: Mapping[str, Any]) -> list[str]:
    """Of each set of calls the architecture with the fewest parameters; those that stand for the most come first."""
    groups: dict[Any, list[str]] = {}
    for name, calls in vocabulary.items():
        groups.setdefault(tuple(calls) if isinstance(calls, list) else name, []).append(name)
    found = {min(names, key=_parameters) if len(names) > 1 else names[0]: len(names) for names in groups.values()}
    return sorted(found, key=lambda name: -found[name])


def _parameters(name: str) -> int:
    import timm
    import torch

    with torch.device("meta"):
        model: Any = timm.create_model(name, pretrained=False)
    return sum(tensor.numel() for tensor in model.parameters())


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as Markdown: how many of each family are exact, and why the others are not."""
    count = Counter(outcome.kind for outcome in outcomes)
    head = ", ".join(f"{number} {kind} ({number / len(outcomes):.1%})" for kind, number in count.most_common())
    return "\n".join([
        f"{len(outcomes)} models of timm: {head}.", "",
        "“Too large” and “too long” are matters of the memory and time that a model was given. `lines` is the median",
        "length of a family's specs. What came of each model is in `zoo.jsonl`.", "",
        "## By family", "",
        f"| family | models | {' | '.join(KINDS)} | lines |", "| --- " * (len(KINDS) + 3) + "|",
        *_families(outcomes), "",
        "## Not exact", "",
        "| family | models | | why |", "| --- | --- | --- | --- |", *_misses(outcomes), "",
    ])  # fmt: skip


def _families(outcomes: Sequence[Outcome]) -> list[str]:
    """A row for each family."""
    rows = []
    for family in sorted({outcome.family for outcome in outcomes}):
        of_it = [outcome for outcome in outcomes if outcome.family == family]
        count = Counter(outcome.kind for outcome in of_it)
        lines = [outcome.lines for outcome in of_it if outcome.kind == "exact"]
        middle = f"{median(lines):.0f}" if lines else "–"
        kinds = " | ".join(str(count[kind] or "–") for kind in KINDS)
        rows.append(f"| {family or '(not created)'} | {len(of_it)} | {kinds} | {middle} |")
    return rows


def _misses(outcomes: Sequence[Outcome]) -> list[str]:
    """A row for each reason for which models of a family are not exact."""
    names: dict[tuple[str, str, str], list[str]] = {}
    for outcome in sorted(outcomes):
        if outcome.kind != "exact":
            reason = outcome.reason.replace("|", "/")
            names.setdefault((outcome.family, outcome.kind, reason), []).append(f"`{outcome.name}`")
    return [f"| {family} | {', '.join(found)} | {kind} | {why} |"
            for (family, kind, why), found in sorted(names.items())]  # fmt: skip


def _lines(file: Path | None) -> Iterable[Any]:
    if file is not None and file.exists():
        yield from map(json.loads, file.read_text(encoding="utf-8").splitlines())


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--sample", type=int, default=1, metavar="N", help="try each N-th architecture only")
    parser.add_argument("--vocabulary", type=Path, metavar="FILE", help="records of tests.vocabulary")
    parser.add_argument("--limit", type=float, default=600, metavar="SECONDS", help="the longest that a model may take")
    parser.add_argument(
        "--memory", type=float, default=16, metavar="GIB", help="the most that the proof of a model may take"
    )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="how many models are tried at a time")
    parser.add_argument("--records", type=Path, default=RECORDS, metavar="FILE", help="where outcomes are kept")
    parser.add_argument("--again", nargs="*", default=[], choices=KINDS, help="try those of these kinds again")
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.name}")
    given = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    import oracle  # noqa: F401  # torchvision, which timm imports, cannot be imported before it
    import timm

    sampled = smallest(dict(_lines(given.vocabulary)))
    outcomes = {line[0]: Outcome(*line) for line in _lines(given.records)}
    names = [
        name for name in given.names or sampled or timm.list_models()[:: given.sample]
        if name not in outcomes or outcomes[name].kind in given.again
    ]  # fmt: skip
    with ThreadPool(given.workers) as workers:
        for outcome in workers.imap_unordered(lambda name: in_process(name, given.limit, given.memory), names):
            outcomes[outcome.name] = outcome
            with given.records.open("a", encoding="utf-8") as file:
                file.write(json.dumps(outcome) + "\n")
            print(*outcome, flush=True)
    text = table(list(outcomes.values()))
    if given.write:
        lines = [json.dumps(outcomes[name]) + "\n" for name in sorted(outcomes)]
        given.records.write_text("".join(lines), encoding="utf-8")
        TABLE.write_text(text, encoding="utf-8")
    print(text.splitlines()[0])


if __name__ == "__main__":
    main()
