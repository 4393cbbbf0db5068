"""Commands in fresh processes, each compared with its peer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from . import ROOT
from .report import Row, beside, seconds
from .timing import interleaved, typical

ARCHSPEC = "from archspec.__main__ import main; main()"
"""What the installed `archspec` command runs."""

IMPORTS = "import pydantic, yaml, click"
TORCHINFO = """
import sys; sys.path.insert(0, "tests")
from oracle import models
import torchinfo
print(torchinfo.summary(models.resnet152(), (1, 3, 224, 224), verbose=0))
"""
CODEGEN_BUDGET = 3.5
"""Seconds for all shipped specs, validation included."""


def run(code: str, *arguments: str) -> None:
    """A fresh Python running `code`. It keeps bytecode, as pip does when it installs archspec and its peers."""
    subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )


def cold(rounds: int) -> Iterator[Row]:
    """`archspec summary` from a cold start, compared with the imports that it needs and with a torchinfo script."""
    summary = partial(run, ARCHSPEC, "summary", "specs/resnet152.yaml")
    times = interleaved({"archspec": summary, "imports": partial(run, IMPORTS)}, 4 * rounds, wall=True)
    yield beside("cold `archspec summary`", times, "archspec", "imports", 3.0)
    times = interleaved({"archspec": summary, "torchinfo": partial(run, TORCHINFO)}, max(3, rounds // 3), wall=True)
    yield beside("cold `archspec summary`", times, "archspec", "torchinfo", 1 / 12)


def codegen(rounds: int) -> Iterator[Row]:
    """`archspec codegen` of every shipped spec."""
    count = sum(1 for _ in Path(ROOT, "specs").rglob("*.yaml"))
    with TemporaryDirectory() as folder:
        command = partial(run, ARCHSPEC, "codegen", "-o", folder)
        time = typical(interleaved({"archspec": command}, max(3, rounds // 3), wall=True)["archspec"])
    what = f"cold `archspec codegen`, all {count} specs"
    yield Row(what, seconds(time), "", "", f"≤ {seconds(CODEGEN_BUDGET)}", time <= CODEGEN_BUDGET)
