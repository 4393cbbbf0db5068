"""Modules: construction, forward and backward of built and generated ones, compared with torchvision's."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import get_context
from typing import Any

import torch
from oracle import oracle
from torch import Tensor, nn

import archspec

from . import ROOT
from .report import Row, beside
from .timing import Times, interleaved

CONSTRUCTED = ("resnet152", "vgg16", "googlenet")
RUN = (
    ("resnet152", 1, 32, 12), ("googlenet", 1, 64, 12), ("resnet50", 1, 128, 12),
    ("vit_b_16", 1, 224, 4), ("swin_t", 1, 224, 4), ("maxvit_t", 1, 224, 4),
)  # fmt: skip
"""Networks, each with its batch size, the height (= width) of its input, and in how many processes it is timed: large
inputs are less sensitive to where memory lies."""


def construction(rounds: int) -> Iterator[Row]:
    """From a compiled graph to an initialised module, compared with torchvision's constructor."""
    from archspec.backends.torch.build import build

    for name in CONSTRUCTED:
        graph = archspec.compile(name)
        contestants = {"archspec": partial(build, graph), "torchvision": partial(oracle, name)}
        times = interleaved(contestants, rounds)
        yield beside(f"construct {name}", times, "archspec", "torchvision", 1.05)


def generated(name: str) -> nn.Module:
    """The network of a generated file."""
    path = ROOT / "generated" / f"{name}.py"
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), namespace)
    module: nn.Module = namespace[name]()
    return module


def passes(rounds: int) -> Iterator[Row]:
    """Forward in evaluation, and forward and backward in training, with the same weights.

    A second torchvision model shows how far apart equal models are: memory layout alone changes times by several
    percent from process to process. Training uses two samples, since batch norm cannot train on one.
    """
    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for name, batch, size, processes in RUN:
            inputs: dict[str, tuple[int, ...]] = {"eval": (batch, 3, size, size), "train": (2, 3, size, size)}
            found = pool.map(partial(_passes, name, inputs, rounds), range(processes), chunksize=1)
            for mode, shape in inputs.items():
                times = {n: [second for one in found for second in one[mode][n]] for n in found[0][mode]}
                yield from _rows(f"{mode} {name} {'×'.join(map(str, shape))}", times, 1.02)


def _passes(name: str, inputs: dict[str, tuple[int, ...]], rounds: int, number: int) -> dict[str, Times]:
    """Times from one process; the order in which contestants are constructed depends on its `number`."""
    contestants = _same_weights(name, number)
    times = {}
    for mode, run, often in (("eval", _forward, rounds), ("train", _train, max(2, rounds // 3))):
        x = torch.randn(inputs[mode])
        running = {n: partial(run, module.train(mode == "train"), x) for n, module in contestants.items()}
        times[mode] = interleaved(running, often, collect=False)
    return times


def overhead(rounds: int) -> Iterator[Row]:
    """Forward with every layer replaced by the identity: the time that Python alone takes."""
    for name in ("resnet152", "googlenet"):
        contestants = _same_weights(name, 0)
        for module in contestants.values():
            _hollow(module)
        x = torch.zeros(1, 3, 1, 1)
        times = interleaved({n: partial(_forward, m, x) for n, m in contestants.items()}, 40 * rounds, collect=False)
        yield from _rows(f"Python alone, {name}", times, None)


def _hollow(module: nn.Module) -> None:
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if not any(child.children()):
                setattr(parent, name, nn.Identity())
    module.eval()


def _same_weights(name: str, number: int) -> dict[str, nn.Module]:
    makers: dict[str, Callable[[str], nn.Module]] = {
        "torchvision": oracle, "built": archspec.build, "generated": generated, "torchvision again": oracle,
    }  # fmt: skip
    order = random.Random(number).sample(list(makers), len(makers))
    made = {contestant: makers[contestant](name) for contestant in order}
    for module in made.values():
        module.load_state_dict(made["torchvision"].state_dict(keep_vars=True), assign=True)
    return made


def _rows(what: str, times: Times, most: float | None) -> Iterator[Row]:
    for ours in ("built", "generated"):
        yield beside(f"{what}, {ours}", times, ours, "torchvision", most)
    yield beside(f"{what}, noise", times, "torchvision again", "torchvision", None)


@torch.no_grad()
def _forward(module: nn.Module, x: Tensor) -> None:
    module(x)


def _train(module: nn.Module, x: Tensor) -> None:
    output = module(x)
    tensors = [output] if isinstance(output, Tensor) else list(output)
    torch.autograd.backward([tensor.sum() for tensor in tensors])
    module.zero_grad()
