"""Modules: construction, forward and backward of the built and the generated ones, beside torchvision's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from oracle import oracle
from torch import Tensor, nn

import archspec

from . import ROOT
from .report import Row, beside
from .timing import Times, interleaved

CONSTRUCTED = ("resnet152", "vgg16", "googlenet")
RUN = (("resnet152", 1, 32), ("googlenet", 1, 64), ("resnet50", 1, 128))
"""Networks with the batch, and the height and width of the input."""
MADE_ANEW = 6
"""How often the networks that are timed are made."""


def construction(rounds: int) -> Iterator[Row]:
    """From a compiled graph to an initialised module, beside torchvision's constructor with the same weights."""
    from archspec.targets.torch import build

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

    A second torchvision model shows how far equal models are apart: where weights happen to lie in memory is worth a
    percent or two, so all are made anew several times. Batch norm cannot train on one sample.
    """
    for name, batch, size in RUN:
        times: dict[str, Times] = {"eval": {}, "train": {}}
        inputs = {mode: torch.randn(samples, 3, size, size) for mode, samples in (("eval", batch), ("train", 2))}
        for _ in range(MADE_ANEW):
            contestants = _same_weights(name)
            for mode, run in (("eval", _forward), ("train", _train)):
                running = {n: partial(run, module.train(mode == "train"), inputs[mode])
                           for n, module in contestants.items()}  # fmt: skip
                for n, found in interleaved(running, rounds, collect=False).items():
                    times[mode].setdefault(n, []).extend(found)
        for mode, rows in times.items():
            shape = "×".join(map(str, inputs[mode].shape))
            yield from _rows(f"{mode} {name} {shape}", rows, 1.02)


def overhead(rounds: int) -> Iterator[Row]:
    """Forward with every layer replaced by the identity: what is left is Python, and shows a percent of it."""
    for name in ("resnet152", "googlenet"):
        contestants = _same_weights(name)
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


def _same_weights(name: str) -> dict[str, nn.Module]:
    made = {
        "torchvision": oracle(name), "built": archspec.build(name), "generated": generated(name),
        "torchvision again": oracle(name),
    }  # fmt: skip
    for module in made.values():
        module.load_state_dict(made["torchvision"].state_dict())
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
