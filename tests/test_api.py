"""The public functions: what they take, what they cost to import, and that every mistake is a `SpecError`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import archspec

ROOT = Path(__file__).parent.parent
LENET = ROOT / "specs" / "lenet.yaml"


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()


def test_import_loads_nothing() -> None:
    before = set(python("import sys; print(*sys.modules)").split())
    after = set(python("import sys, archspec; print(*sys.modules)").split())
    assert after - before <= {"archspec", "__future__"}


def test_only_build_loads_torch() -> None:
    calls = "a.compile('lenet'); a.codegen('lenet'); a.render('lenet', 'dot'); a.summary('lenet'); a.expand('lenet')"
    assert python(f"import archspec as a, sys; {calls}; print('torch' in sys.modules)") == "False"


@pytest.mark.parametrize(
    "first",
    [
        "import archspec.driver, archspec.api, archspec.cli, archspec.graph",
        "from archspec import driver, compile",
        "from archspec import *",
        "import archspec.targets.python, archspec.targets.summary, archspec.targets.diagram",
        "import archspec; archspec.codegen",
    ],
)
def test_names_stay_functions_whatever_is_imported(first: str) -> None:
    names = "archspec.compile, archspec.load, archspec.build, archspec.codegen, archspec.render, archspec.expand"
    assert python(f"{first}\nimport archspec, types; print({{type(f).__name__ for f in ({names})}})") == "{'function'}"


def test_names() -> None:
    assert set(archspec.__all__) <= set(dir(archspec))
    assert all(getattr(archspec, name) is not None for name in archspec.__all__)
    with pytest.raises(AttributeError, match="no attribute 'complie'"):
        getattr(archspec, "complie")  # noqa: B009


def test_version_is_the_distribution_s() -> None:
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version is not None
    assert version[1] == archspec.__version__


SOURCES = {
    "path": LENET,
    "path as text": str(LENET),
    "shipped name": "lenet",
    "YAML text": LENET.read_text(encoding="utf-8"),
    "loaded spec": archspec.load("lenet"),
}

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "compile": lambda source, **overrides: archspec.compile(source, **overrides).output_shape,
    "codegen": archspec.codegen,
    "render": lambda source, **overrides: archspec.render(source, format="dot", **overrides),
    "expand": archspec.expand,
    "summary": archspec.summary,
    "build": lambda source, **overrides: repr(archspec.build(source, **overrides)),
    "verify": lambda source, **overrides: str(archspec.verify(source, **overrides)),
}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("source", SOURCES)
def test_every_function_takes_every_source(function: str, source: str) -> None:
    call = FUNCTIONS[function]
    given = call(SOURCES[source], num_classes=7)
    assert given == call("lenet", num_classes=7)
    assert given != call("lenet")


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("source", "overrides", "message"),
    [
        ("lenett", {}, "did you mean 'lenet'"),
        (Path("no/such.yaml"), {}, "no/such.yaml: cannot be read"),
        ("x" * 5000, {}, "there is no file and no shipped spec"),
        ("x" * 5000 + ".yaml", {}, "cannot be read: File name too long"),
        ("x\0.yaml", {}, "cannot be read: embedded null byte"),
        ("lenet", {"num_clases": 3}, "did you mean 'num_classes'"),
        ("resnet18", {"num_classes": 0}, "num_classes"),
        ("resnet18", {"input": (3, 0, 8)}, "input"),
        ("name: x\ninput: [3, 8, 8]\n", {}, "needs a family, or layers"),
    ],
)
def test_every_mistake_is_a_spec_error(function: str, source: Any, overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(archspec.SpecError, match=re.escape(message)):
        FUNCTIONS[function](source, **overrides)


@pytest.mark.parametrize("arguments", [{"format": "bmp"}, {"direction": "up"}])
def test_render_checks_its_arguments(arguments: dict[str, str]) -> None:
    with pytest.raises(archspec.SpecError, match=re.escape(next(iter(arguments.values())))):
        archspec.render("lenet", **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["source", "spec", "max_nodes"])
def test_overrides_are_never_mistaken_for_arguments(name: str) -> None:
    with pytest.raises(archspec.SpecError, match=f"no parameter '{name}'"):
        archspec.load("lenet", **{name: 3})


def test_the_limit_of_nodes_is_the_users_to_set() -> None:
    with archspec.node_limit(3):
        for function in FUNCTIONS.keys() - {"expand"}:  # which elaborates nothing
            with pytest.raises(archspec.SpecError, match="more than 3 nodes") as caught:
                FUNCTIONS[function]("resnet18")
            assert len(caught.value.diagnostics) == 1
        with pytest.raises(archspec.SpecError, match="more than 4 nodes"):
            archspec.compile("lenet", max_nodes=4)
    assert archspec.compile("lenet").params
