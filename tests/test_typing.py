"""What a type checker sees of the installed package: real types, and no names that do not exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

TYPES = {
    'archspec.compile("lenet", num_classes=5)': "archspec.ir.graph.Graph",
    'archspec.compile("lenet", overrides={"num_classes": 5}).layers[0].receptive_field': "tuple[int, int] | None",
    'archspec.load("lenet")': "archspec.frontend.loader.Spec",
    'archspec.build(archspec.compile("lenet"), seed=0)': "torch.nn.Module",
    'archspec.render(archspec.load("lenet"), "dot")': "archspec.backends.diagram.image.Image",
    'archspec.Image(b"digraph {}", "dot").upper()': "bytes",
    'archspec.summary("lenet", depth=1)': "str",
    'archspec.codegen("lenet")': "str",
    'archspec.expand("lenet")': "str",
    "archspec.specs()": "list[str]",
    "archspec.SpecError([]).diagnostics": "tuple[archspec.diagnostics.diagnostic.Diagnostic, ...]",
}
"""Expressions and their types."""

WRONG = {
    'archspec.complie("lenet")': "attr-defined",
    'archspec.build("lenet", seed="x")': "arg-type",
    'archspec.summary("lenet", depth="x")': "arg-type",
    "archspec.compile(3)": "arg-type",
}
"""Expressions with an error, and mypy's word for it."""

STUB = {"torch/py.typed": "", "torch/__init__.pyi": "from torch import nn as nn", "torch/nn.pyi": "class Module: ..."}
"""As much of torch as archspec's own types are made of: all of it would take mypy half a minute."""


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What mypy says of a script beside an environment that archspec is installed in, as from a wheel."""
    folder = tmp_path_factory.mktemp("typing")
    venv.create(folder / "env", symlinks=os.name != "nt")
    (installed,) = [Path(path) for path in (folder / "env").rglob("site-packages")]
    shutil.copytree(ROOT / "archspec", installed / "archspec", ignore=shutil.ignore_patterns("__pycache__"))
    write(installed, STUB)
    shown = [f"reveal_type({expression})" for expression in TYPES]
    write(folder, {"script.py": "\n".join(["import archspec", *shown, *WRONG])})
    (folder / "mypy.ini").write_text("[mypy]\nstrict = true\n", encoding="utf-8")
    python = folder / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--python-executable", str(python)]
    environment = {name: value for name, value in os.environ.items() if name not in ("MYPYPATH", "PYTHONPATH")}
    found = subprocess.run([*command, "script.py"], capture_output=True, text=True, cwd=folder, env=environment)
    assert found.returncode == 1, found.stderr
    return found.stdout


@pytest.mark.parametrize("expression", TYPES)
def test_types_are_seen(said: str, expression: str) -> None:
    line = 2 + list(TYPES).index(expression)
    assert f'script.py:{line}: note: Revealed type is "{TYPES[expression]}"' in said


@pytest.mark.parametrize("expression", WRONG)
def test_errors_are_seen(said: str, expression: str) -> None:
    line = 2 + len(TYPES) + list(WRONG).index(expression)
    assert re.search(rf"^script\.py:{line}: error: .*\[{WRONG[expression]}\]$", said, re.MULTILINE)


def test_nothing_else_is_wrong(said: str) -> None:
    """Neither in the script nor in archspec: what is installed is not the user's to mend."""
    assert said.count(": error: ") == len(WRONG), said
