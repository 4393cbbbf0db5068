"""Written projects, used as their users do: imported, or run as programs; and folders of images for them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import oracle  # noqa: F401  makes torchvision importable here
import torch
from PIL import Image

import archspec

QUICK: dict[str, Any] = {"epochs": 1, "batch_size": 3, "workers": 0, "val_fraction": 0.25, "device": "cpu"}
"""Settings of a run that takes a moment on eight images."""

_SITE = """\
import torch

library = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""
"""Code that torchvision needs before it is imported with a CPU-only torch; projects do not contain it."""


def photos(folder: Path, count: int = 8, classes: int = 2, size: tuple[int, int] = (32, 32), seed: int = 0) -> Path:
    """A folder of random images: number n is of class n % classes."""
    generator = torch.Generator().manual_seed(seed)
    for number in range(count):
        file = folder / f"class{number % classes}" / f"{number:03}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = torch.randint(256, (*size, 3), dtype=torch.uint8, generator=generator)
        Image.fromarray(pixels.numpy()).save(file)
    return folder


def digits(folder: Path, count: int = 1797) -> Path:
    """The first of scikit-learn's 1,797 handwritten digits, enlarged from 8×8 to 32×32."""
    from sklearn.datasets import load_digits

    found = load_digits()
    for number, (pixels, label) in enumerate(zip(found.images[:count], found.target[:count], strict=True)):
        file = folder / str(label) / f"{number:04}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((pixels * 255 / 16).astype("uint8")).resize((32, 32), Image.Resampling.BICUBIC).save(file)
    return folder


def patches(folder: Path) -> Path:
    """64 pieces of scikit-learn's two photographs; the class of each is the height it is cut out at."""
    from sklearn.datasets import load_sample_images

    photographs = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    for number in range(64):
        file = folder / f"row{number // 16}" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        left, top = 75 * (number % 8), 100 * (number // 16)
        photographs[number // 8 % 2].crop((left, top, left + 75, top + 100)).resize((32, 32)).save(file)
    return folder


def environment(folder: Path) -> dict[str, str]:
    """The environment of a program: one thread, as here, and torchvision importable."""
    site = folder / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(_SITE, encoding="utf-8")
    return {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def start(project: Path, folder: Path, *arguments: str | Path) -> subprocess.Popen[str]:
    """A Python program in a project's folder; `folder` is for what it needs beside."""
    command = [sys.executable, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=project, env=environment(folder), stdout=pipe, stderr=pipe, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


@contextmanager
def imported(project: Path) -> Iterator[SimpleNamespace]:
    """The modules of a project, by name; afterwards other modules of these names, and random numbers, are as before."""
    names = sorted(path.stem for path in project.glob("*.py") if path.stem != "test_project")
    others = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    sys.path.insert(0, str(project))
    torch.set_num_threads(1)
    try:
        yield SimpleNamespace(**{name: import_module(name) for name in names})
    finally:
        sys.path.remove(str(project))
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(others)
        torch.set_num_threads(threads)
        torch.set_rng_state(state)


def after_step(modules: SimpleNamespace, action: Callable[[Any], None]) -> Callable[[], None]:
    """Call a function after each step of a run; returns a function that undoes this."""
    before = modules.run.Run._after_step

    def step(run: Any) -> None:
        before(run)
        action(run)

    modules.run.Run._after_step = step
    return lambda: setattr(modules.run.Run, "_after_step", before)


def weights(file: Path) -> dict[str, Any]:
    """The tensors of a checkpoint."""
    return dict(torch.load(file, weights_only=True))


def equal(left: dict[str, Any], right: dict[str, Any]) -> bool:
    """Whether two sets of weights are the same, bit for bit."""
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def write(name: str, folder: Path, **overrides: Any) -> Path:
    """The project of a spec."""
    archspec.project(name, folder, overrides=overrides)
    return folder
