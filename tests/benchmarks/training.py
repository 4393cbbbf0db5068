"""Written projects: their accuracy on real images, and the time of their training loop compared with a bare one."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from projects import digits, imported, patches, photos, write
from torch import nn

from .report import Row, beside, seconds
from .timing import Times, interleaved


def accuracy(rounds: int) -> Iterator[Row]:
    """LeNet on handwritten digits, a fifth of them held out; ResNet-18 on 64 photographs to be learnt by heart."""
    with tempfile.TemporaryDirectory() as folder:
        yield _digits(Path(folder))
        yield _overfitted(Path(folder))


def _digits(folder: Path) -> Row:
    """One process trains, one worker reads: two cores."""
    digits(folder / "digits")
    began = time.perf_counter()
    history = _fit("lenet", folder, "digits", epochs=25, lr=0.05, augment="light", workers=1)
    took, best = time.perf_counter() - began, max(row["val_accuracy"] for row in history)
    kept = best >= 0.97 and took <= 180
    return Row("LeNet on 360 held-out digits", f"{best:.1%} in {seconds(took)}", budget="≥ 97 % in 180 s", kept=kept)


def _overfitted(folder: Path) -> Row:
    """The training images are validated, too, without augmentation."""
    for part in ("train", "val"):
        patches(folder / "patches" / part)
    settings: dict[str, Any] = {"epochs": 60, "batch_size": 32, "augment": "none", "workers": 0}
    history = _fit("resnet18", folder, "patches", [3, 32, 32], **settings)
    best = max(row["val_accuracy"] for row in history)
    return Row("ResNet-18 on 64 photos, learnt by heart", f"{best:.1%}", budget="100 %", kept=best == 1)


def _fit(name: str, folder: Path, data: str, input: list[int] | None = None, **settings: Any) -> Any:
    project = write(name, folder / name, **({} if input is None else {"input": input}))
    with imported(project) as modules, redirect_stdout(StringIO()):
        return modules.train.fit(folder / data, output=folder / f"{name}-runs", device="cpu", **settings)


def throughput(rounds: int) -> Iterator[Row]:
    """An epoch of `train.py`, compared with the same model, data and optimizer in a loop of five lines."""
    with tempfile.TemporaryDirectory() as folder:
        for name, count, size in (("lenet", 640, 32), ("resnet18", 160, 64)):
            data = photos(Path(folder) / f"{name}-photos", count, size=(size, size))
            project = write(name, Path(folder) / name, input=[3, size, size])
            with imported(project) as modules:
                times = _epochs(modules, data, Path(folder) / f"{name}-runs", max(3, rounds))
            yield beside(f"an epoch of {name} {count}×3×{size}×{size}", times, "train.py", "bare loop", 1 / 0.97)


def _epochs(modules: SimpleNamespace, data: Path, output: Path, rounds: int) -> Times:
    settings = modules.settings.Settings(data, output, epochs=10**6, workers=0, device="cpu")
    split = modules.data.scan(data, 0.1, 0)
    made: Any = [modules.run.prepare(settings, split, None, torch.device("cpu")) for _ in range(2)]
    return interleaved(
        {"train.py": partial(_epoch, modules, made[0]), "bare loop": partial(_bare_epoch, made[1])}, rounds
    )


def _epoch(modules: SimpleNamespace, run: Any) -> None:
    run.order.epoch, run.order.start = run.state.epoch, 0
    state, settings = run.state, run.settings
    modules.engine.train_epoch(state, run.forward, [], run.training, settings, run.device, run._after_step)


def _bare_epoch(run: Any) -> None:
    network, optimizer = run.state.network, run.state.optimizer
    assert isinstance(network, nn.Module)
    network.train()
    for images, labels in run.training:
        loss = F.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
