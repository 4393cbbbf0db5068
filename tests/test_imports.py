"""The rules that keep the house in order: who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import archspec

ROOT = Path(archspec.__file__).parent

ORDER = (
    {"errors"},
    {"batch", "declarations", "document", "expressions", "files", "overrides"},
    {"initialisers"},
    {"ops"},
    {"provenance", "reach"},
    {"definition", "equality", "layer"},
    {"graph"},
    {"misfits"},
    {"matching", "mistakes"},
    {"fields"},
    {"language"},
    {"scope", "inplace", "library", "families"},
    {"features", "folding"},
    {"elaborate"},
    {"salvage"},
    {"driver"},
    {"published"},
    {"targets", "validation"},
    {"assembly"},
    {"verification"},
    {"api", "schema"},
    {"checking", "options", "sources", "watch"},
    {"cli"},
    {"__main__"},
)
"""Each part of archspec may import from those on earlier lines, and from itself."""

TARGETS = {
    "block": "torch", "layers": "torch", "program": "torch", "weights": "torch", "checkpoint": "torch",
    "export": "torch",
}  # fmt: skip
"""Files that one target alone uses, and whose they are; any other file or folder is a target of its own."""

ONLY_THERE = {
    "torch": (
        "targets.torch",
        "targets.block",
        "targets.layers",
        "targets.program",
        "targets.weights",
        "targets.checkpoint",
        "targets.export",
        "verification.against",
        "verification.comparison",
        "verification.differences",
        "verification.generated",
        "verification.location",
        "verification.pairing",
        "verification.passes",
        "verification.preserve",
        "verification.randomise",
        "verification.running",
        "verification.verify",
    ),
    "onnxruntime": ("targets.export",),
    "safetensors": ("targets.checkpoint",),
    "torchvision": (),
    "jinja2": ("targets.python",),
    "graphviz": ("targets.diagram",),
    "pydantic": ("schema",),
    "pydantic_core": ("declarations", "fields", "mistakes", "schema"),
    "pygraphviz": ("targets.diagram",),
    "rich": ("cli",),
    "yaml": ("document",),
}
"""What only some files import, given by how their names begin."""


class Import(NamedTuple):
    """`module` (relative to archspec) imports `name` (absolute)."""

    module: str
    line: int
    name: str


def modules() -> list[str]:
    files = (path.relative_to(ROOT).with_suffix("") for path in sorted(ROOT.rglob("*.py")))
    return [".".join(path.parts).removesuffix(".__init__") for path in files if path.parts != ("__init__",)]


def source_of(module: str) -> Path:
    path = ROOT / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker sees."""
    yield tree
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")):
            yield from nodes(node)


@cache
def imports(module: str) -> list[Import]:
    """All imports of a file, also those inside functions."""
    return list(_imports(module))


def _imports(module: str) -> Iterator[Import]:
    for node in nodes(ast.parse(source_of(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (Import(module, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: a relative import"
            yield from (Import(module, node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def own(module: str) -> Iterator[Import]:
    """The imports of archspec's own parts, as `part.name`."""
    for found in imports(module):
        if found.name.startswith("archspec."):
            yield found._replace(name=found.name.removeprefix("archspec."))


def rank(module: str) -> int:
    part = module.partition(".")[0]
    places = [number for number, parts in enumerate(ORDER) if part in parts]
    assert len(places) == 1, f"archspec/{part} has no place in the order of imports"
    return places[0]


@pytest.mark.parametrize("module", modules())
def test_arrows_go_one_way(module: str) -> None:
    part = module.partition(".")[0]
    for found in own(module):
        if found.name.startswith("__"):  # the version
            continue
        assert found.name.partition(".")[0] == part or rank(found.name) < rank(module), found


READERS = ("__main__", "driver", "elaborate", "families", "language", "library", "mistakes", "salvage", "schema")
"""What may read the YAML model: nothing behind elaboration does."""


def test_the_model_is_read_once() -> None:
    users = {module for module in modules() for found in own(module) if found.name.partition(".")[0] == "language"}
    assert {user for user in users if user.partition(".")[0] not in READERS} == set()
    assert "elaborate.frame" in users


def target_of(module: str) -> str:
    """The target a file belongs to: `targets.layers` is the torch target's."""
    name = module.split(".")[1]
    return TARGETS.get(name, name)


@pytest.mark.parametrize("module", [name for name in modules() if name.startswith("targets.")])
def test_no_target_imports_another(module: str) -> None:
    for found in own(module):
        assert not found.name.startswith("targets.") or target_of(found.name) == target_of(module), found


@pytest.mark.parametrize("module", [name for name in modules() if name.startswith("families.")])
def test_no_family_imports_another(module: str) -> None:
    for found in own(module):
        assert not found.name.startswith("families.") or found.name.startswith("families.base."), found


@pytest.mark.parametrize("package", ONLY_THERE)
def test_only_there(package: str) -> None:
    users = {module for module in modules() for found in imports(module) if found.name.partition(".")[0] == package}
    assert {user for user in users if not user.startswith(ONLY_THERE[package] or ("-",))} == set()


def test_the_rules_see_the_files() -> None:
    """The tests above must not pass for want of anything to look at."""
    assert {"errors", "ops.base", "families.vgg", "driver"} <= set(modules())
    assert any(found.name.startswith("yaml") for found in imports("document"))
    assert any(found.name == "ops.OPS" for found in own("language"))


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import archspec", {"pydantic", "yaml", "torch", "jinja2", "graphviz", "click", "rich"}),
        ("import archspec; archspec.compile('resnet18')", {"pydantic", "torch", "jinja2", "graphviz", "click", "rich"}),
    ],
)
def test_costs_no_more_than_it_needs(statement: str, absent: set[str]) -> None:
    code = f"import sys; {statement}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent)
    assert not absent & set(loaded.stdout.split())
