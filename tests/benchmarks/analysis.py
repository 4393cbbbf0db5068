"""Static analysis: text → parameters, MACs, and every layer with its receptive field."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torchinfo
from oracle import models

import archspec
from archspec.frontend.loader import specs_folder

from . import ROOT
from .report import Row, beside, seconds
from .timing import interleaved, typical

BUDGET = 5e-3
"""Seconds for ResNet-152 if it was analysed before, so that the library blocks are cached."""

FIRST_BUDGET = 25e-3
"""Seconds for any of torchvision's networks if nothing was analysed before: the library is read, validators are built.
"""

ANY_BUDGET = 6e-3
"""The same for any of torchvision's networks."""

FIRST = """
import sys
from time import process_time
from archspec import compile
text = open(sys.argv[1], encoding="utf-8").read()
start = process_time()
graph = compile(text)
graph.params, graph.macs, sum(layer.receptive_field[0] for layer in graph.layers if layer.receptive_field)
print(process_time() - start)
"""
"""The same as `analyse`, in a process without torch."""

SIZES = (100, 1_000, 10_000, 100_000)
LONGEST_TEXT = 10_000
"""The largest spec without `repeat` that is below the limit on file size."""


def analyse(text: str) -> tuple[int, int, int]:
    """Parameters, MACs and the sum of receptive fields: forces the whole analysis."""
    graph = archspec.compile(text)
    fields = (layer.receptive_field for layer in graph.layers)
    return graph.params, graph.macs, sum(field[0] for field in fields if field)


def analysis(rounds: int) -> Iterator[Row]:
    """ResNet-152 in process: archspec starts from text, its peer is torchvision's constructor followed by torchinfo."""
    text = (specs_folder() / "resnet152.yaml").read_text(encoding="utf-8")
    model = models.resnet152()
    contestants: dict[str, Callable[[], Any]] = {
        "archspec": partial(_many, text, 20),
        "constructor, torchinfo": _constructed_and_summarised,
        "the same on meta": partial(_constructed_and_summarised, "meta"),
        "torchinfo alone": partial(_torchinfo, model),
    }
    times = interleaved(contestants, rounds)
    times["archspec"] = [time / 20 for time in times["archspec"]]
    ours = typical(times["archspec"])
    yield _first("ResNet-152", _first_times("resnet152", rounds))
    yield _slowest_first(rounds)
    yield Row("analysis of ResNet-152, repeated", seconds(ours), "", "", f"≤ {seconds(BUDGET)}", ours <= BUDGET)
    yield beside("analysis of ResNet-152, repeated", times, "archspec", "constructor, torchinfo", 1 / 100)
    for peer in ("the same on meta", "torchinfo alone"):
        yield beside("analysis of ResNet-152, repeated", times, "archspec", peer, None)
    yield _slowest(rounds)


def _slowest(rounds: int) -> Row:
    """The one of torchvision's networks that takes the longest."""
    texts = {name: path.read_text(encoding="utf-8") for name, path in _networks().items()}
    contestants = {name: partial(_many, texts[name], 5) for name in texts}
    times = {name: typical(found) / 5 for name, found in interleaved(contestants, rounds).items()}
    name = max(times, key=lambda name: times[name])
    what = f"analysis of any of {len(times)}, repeated: {name}"
    return Row(what, seconds(times[name]), "", "", f"≤ {seconds(ANY_BUDGET)}", times[name] <= ANY_BUDGET)


def _networks() -> dict[str, Path]:
    """The specs of torchvision's networks."""
    facts = json.loads((ROOT / "tests" / "facts.json").read_text(encoding="utf-8"))["torchvision"]
    return {path.stem: path for path in sorted(specs_folder().rglob("*.yaml")) if path.stem in facts}


def _slowest_first(rounds: int) -> Row:
    """The one that takes the longest in a fresh process: of those that took the longest in one round."""
    once = {name: _first_times(name, 1)[0] for name in _networks()}
    longest = sorted(once, key=lambda name: -once[name])[:4]
    times = {name: _first_times(name, rounds) for name in longest}
    name = max(times, key=lambda name: typical(times[name]))
    return _first(f"any of {len(once)}: {name}", times[name])


def _first(what: str, times: list[float]) -> Row:
    time = typical(times)
    title = f"analysis of {what}, first in a process"
    return Row(title, seconds(time), "", "", f"≤ {seconds(FIRST_BUDGET)}", time <= FIRST_BUDGET)


def _first_times(name: str, rounds: int) -> list[float]:
    """Seconds in fresh processes that have imported archspec but analysed nothing."""
    command = [sys.executable, "-c", FIRST, str(_networks()[name])]
    runs = [subprocess.run(command, cwd=ROOT, capture_output=True, check=True) for _ in range(rounds)]
    return [float(run.stdout) for run in runs]


def _constructed_and_summarised(device: str = "cpu") -> Any:
    with torch.device(device):
        return _torchinfo(models.resnet152(), device)


def _many(text: str, count: int) -> None:
    for _ in range(count):
        analyse(text)


def _torchinfo(model: Any, device: str = "cpu") -> Any:
    return torchinfo.summary(model, (1, 3, 224, 224), device=device, verbose=0)


def scaling(rounds: int) -> Iterator[Row]:
    """Time per layer, from 100 layers to as many as a spec may have."""
    yield _constant("cost per layer, equal layers", _repeated("8"), SIZES, rounds)
    yield _constant("cost per layer, all different", _repeated('"=1 + i"'), SIZES, rounds)
    yield _constant("cost per layer, written out", _written, SIZES[:-1], rounds)


def _constant(what: str, text: Callable[[int], str], sizes: tuple[int, ...], rounds: int) -> Row:
    """How much the time per layer varies with the size; small networks are analysed many times in a round."""
    largest = 10_000
    contestants = {str(n): partial(_many, text(n), max(1, largest // n)) for n in sizes}
    times = interleaved(contestants, rounds)
    costs = [typical(times[str(n)]) / (n * max(1, largest // n)) for n in sizes]
    spread = max(costs) / min(costs)
    shown = ", ".join(f"{cost * 1e6:.1f}" for cost in costs)
    return Row(f"{what} ({sizes[0]:,} – {sizes[-1]:,})", f"{shown} µs", "", f"{spread:.3g}×", "≤ 2×", spread <= 2)


_HEAD = "name: chain\ninput: [8, 32, 32]\nlayers:\n"


def _repeated(channels: str) -> Callable[[int], str]:
    def text(count: int) -> str:
        item = f"{{repeat: {count}, index: i, op: conv2d, out_channels: {channels}, kernel_size: 1}}"
        return f"{_HEAD}- conv{{i}}: {item}\n"

    return text


def _written(count: int) -> str:
    items = [f"- conv{i}: {{op: conv2d, out_channels: {1 + i}, kernel_size: 1}}" for i in range(count)]
    return _HEAD + "\n".join(items)
