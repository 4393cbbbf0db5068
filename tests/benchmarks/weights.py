"""Weights: time and memory until a module is ready, and the time that folded batch norms save."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from oracle import oracle
from safetensors.torch import load_file, save_file
from torch import nn

import archspec

from . import ROOT
from .report import Row, beside
from .timing import interleaved

LOADED = ("vgg16", "resnet152")
FOLDED = ("resnet50", "mobilenet_v2", "googlenet")

_PEAK = """
import sys, archspec
def kilobytes(what):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(what))
archspec.build("lenet", weights=sys.argv[3])
before = kilobytes("VmRSS")
open("/proc/self/clear_refs", "w").write("5")
model = archspec.build(sys.argv[1], weights=sys.argv[2])
sum(float(value.sum()) for value in model.state_dict().values())
size = sum(value.numel() * value.element_size() for value in model.parameters())
print((kilobytes("VmHWM") - before) * 1024 / size)
"""
"""Prints the increase to the peak of resident memory, relative to the size of the parameters."""


def loading(rounds: int) -> Iterator[Row]:
    """From a .safetensors file to a ready module, compared with torchvision's constructor and load_state_dict.

    The file is in the page cache. archspec maps it into memory, and its pages are read when they are used: the rows
    "all of it used" read every number once.
    """
    with TemporaryDirectory() as folder:
        for name in LOADED:
            file = str(Path(folder) / f"{name}.safetensors")
            save_file(oracle(name).state_dict(), file)
            ways = {"archspec": partial(_ours, name, file), "torchvision": partial(_theirs, name, file)}
            times = interleaved(ways, max(1, rounds // 3), wall=True)
            yield beside(f"load {name}", times, "archspec", "torchvision", 0.1)
            used = {who: partial(_use, way) for who, way in ways.items()}
            times = interleaved(used, max(1, rounds // 3), wall=True)
            yield beside(f"load {name}, all of it used", times, "archspec", "torchvision", None)


def memory(rounds: int) -> Iterator[Row]:
    """Peak resident memory while a module is loaded and all its numbers are read, relative to the parameters' size."""
    with TemporaryDirectory() as folder:
        small = str(Path(folder) / "lenet.safetensors")
        save_file(archspec.build("lenet").state_dict(), small)
        for name in LOADED:
            file = str(Path(folder) / f"{name}.safetensors")
            save_file(archspec.build(name).state_dict(), file)
            command = [sys.executable, "-c", _PEAK, name, file, small]
            printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
            peak = float(printed)
            yield Row(f"memory to load {name}", f"{peak:.3f} × parameters", "", "", "≤ 1.1 ×", peak <= 1.1)


def inference(rounds: int) -> Iterator[Row]:
    """One image through the network with folded batch norms, compared with the plain network."""
    x = torch.randn(1, 3, 224, 224)
    for name in FOLDED:
        contestants = {
            "folded": archspec.build(name, fold_batch_norm=True).eval(), "plain": archspec.build(name).eval(),
        }  # fmt: skip
        running = {form: partial(_forward, module, x) for form, module in contestants.items()}
        times = interleaved(running, 2 * rounds, collect=False, wall=True)
        yield beside(f"eval {name} 1×3×224×224, batch norm folded", times, "folded", "plain", None)


def _ours(name: str, file: str) -> nn.Module:
    return archspec.build(name, weights=file)


def _theirs(name: str, file: str) -> nn.Module:
    model = oracle(name)
    model.load_state_dict(load_file(file))
    return model


def _use(way: Any) -> nn.Module:
    module: nn.Module = way()
    for value in module.state_dict().values():
        value.sum()
    return module


@torch.no_grad()
def _forward(module: nn.Module, x: torch.Tensor) -> None:
    module(x)
