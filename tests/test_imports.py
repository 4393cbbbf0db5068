"""The rules for imports: which part may import which."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import archspec

ROOT = Path(archspec.__file__).parent

ORDER = (
    "ir.limits",
    "ir.notebook_display",
    "diagnostics.byte_sizes",
    "diagnostics.formatting",
    "diagnostics.json_text",
    "diagnostics.diagnostic",
    "diagnostics.budget",
    "diagnostics.suggestions",
    "diagnostics.checked",
    "diagnostics.validation",
    "diagnostics.user_code",
    "expressions.errors",
    "expressions.grammar",
    "expressions.functions",
    "expressions.evaluate",
    "expressions.parse",
    "expressions.sizes",
    "expressions.rewrite",
    "expressions.printer",
    "expressions.simplify",
    "ops",
    "ir.container",
    "ir.definition",
    "ir.axis",
    "ir.receptive_field",
    "ir.layer",
    "ir.module",
    "ir.measure",
    "ir.equality",
    "ir.verify",
    "ir.graph",
    "ir.footprint",
    "frontend.overrides",
    "frontend.metadata",
    "frontend.spec_names",
    "frontend.suffixes",
    "frontend.yaml",
    "frontend.content",
    "frontend.reserved_names",
    "frontend.model",
    "frontend.library",
    "frontend.families",
    "frontend.own_ops",
    "frontend.loader",
    "frontend.composition",
    "frontend.schema",
    "passes.inplace",
    "passes.features",
    "passes.fold_batch_norm",
    "passes.unknown",
    "passes.recovery",
    "passes.own_op_shapes",
    "passes.specialize",
    "passes.pipeline",
    "backends.output_file",
    "backends.op_labels",
    "backends.theme",
    "backends.templates",
    "backends.summary",
    "backends.diagram",
    "backends.html",
    "backends.python.formatter",
    "backends.python.instances",
    "backends.python.classes",
    "backends.python.forward",
    "backends.python.file",
    "backends.python.validator",
    "backends.python.generate",
    "driver.source",
    "driver.page",
    "backends.project",
    "backends.torch",
    "backends.export",
    "weights",
    "changes",
    "verification",
    "importer",
    "api",
    "driver.notebook",
    "cli",
    "__main__",
)
"""Each part of archspec may import from those on earlier lines, and from itself."""

ONLY_THERE = {
    "PIL": ("backends.diagram.png",),
    "torch": ("backends.torch", "backends.export", "weights", "verification", "importer"),
    "onnxruntime": ("backends.export",),
    "safetensors": ("weights.checkpoint",),
    "torchvision": (),
    "jinja2": ("backends.templates",),
    "graphviz": ("backends.diagram",),
    "pydantic": ("diagnostics.checked", "diagnostics.validation", "ops", "frontend"),
    "pydantic_core": ("diagnostics.checked", "diagnostics.validation", "frontend.model.field_types"),
    "rich": ("cli",),
    "yaml": ("frontend.yaml",),
}
"""Modules that only some files may import, given by the beginning of their names."""


class Import(NamedTuple):
    """`module` (relative to archspec) imports `name` (absolute)."""

    module: str
    line: int
    name: str


@cache
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


def place_of(module: str) -> int | None:
    """The line of `ORDER` that a module stands on; `None` for the few lines that only describe a folder."""
    places = [number for number, part in enumerate(ORDER) if f"{module}.".startswith(f"{part}.")]
    if not places and any(part.startswith(f"{module}.") for part in ORDER):
        assert list(own(module)) == [], f"{module}/__init__.py describes the folder, and imports nothing of it"
        return None
    assert len(places) == 1, f"archspec.{module} has no place in the order of imports"
    return places[0]


def imported(found: Import) -> str:
    """The module that is imported, or whose name is."""
    return found.name if found.name in modules() else found.name.rpartition(".")[0]


@pytest.mark.parametrize("module", modules())
def test_arrows_go_one_way(module: str) -> None:
    here = place_of(module)
    for found in own(module):
        if found.name.startswith("__"):  # the version
            continue
        there = place_of(imported(found))
        assert None not in (here, there), found
        assert there <= here, found  # type: ignore[operator]


def test_no_cycles() -> None:
    """No file imports itself by way of others, also not within one part."""
    graph = {module: {imported(found) for found in own(module)} - {module} for module in modules()}
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError
    assert order.index("ir.module") < order.index("ir.graph") < order.index("api")


LISTED_IN_CODE = ("ops", "frontend.families")
"""Folders whose `__init__` lists the files in code: each name is its file's."""


@pytest.mark.parametrize("folder", [name for name in modules() if source_of(name).name == "__init__.py"])
def test_a_folder_describes_its_files(folder: str) -> None:
    source = source_of(folder).read_text(encoding="utf-8")
    text = source if folder in LISTED_IN_CODE else ast.get_docstring(ast.parse(source)) or ""
    inner = {
        module.removeprefix(f"{folder}.").partition(".")[0] for module in modules() if module.startswith(f"{folder}.")
    }
    missing = {name for name in inner if not re.search(rf"\b{name}\b", text)}
    assert missing == set(), f"archspec/{folder.replace('.', '/')}/__init__.py does not say what these are for"


READERS = ("cli.options", "frontend", "passes.pipeline", "passes.recovery", "passes.specialize")
"""The parts that may read the YAML model: none after specialisation does."""


def test_the_model_is_read_once() -> None:
    users = {module for module in modules() for found in own(module) if imported(found).startswith("frontend.model.")}
    assert {user for user in users if not user.startswith(READERS)} == set()
    assert "passes.specialize.body" in users


SHARED = ("output_file", "op_labels", "templates", "theme")
"""Files that all backends may import."""


def backend_of(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("module", [name for name in modules() if name.startswith("backends.")])
def test_no_backend_imports_another(module: str) -> None:
    """Files are written by any, templates are read with one environment, and what is drawn looks alike."""
    allowed = {backend_of(module), *SHARED}
    found = {backend_of(name) for name in map(imported, own(module)) if name.startswith("backends.")}
    assert found <= allowed


WRITER, VALIDATOR = "backends.python.", "backends.python.validator."


@pytest.mark.parametrize("module", [name for name in modules() if name.startswith(WRITER)])
def test_the_validator_and_what_it_validates_share_no_code(module: str) -> None:
    for name in map(imported, own(module)):
        if name.startswith(WRITER):
            assert name.startswith(VALIDATOR) == module.startswith(VALIDATOR), name


@pytest.mark.parametrize("module", [name for name in modules() if name.startswith("frontend.families.")])
def test_no_family_imports_another(module: str) -> None:
    for found in own(module):
        assert not found.name.startswith("frontend.families.") or found.name.startswith("frontend.families.base."), (
            found
        )


@pytest.mark.parametrize("package", ONLY_THERE)
def test_only_there(package: str) -> None:
    users = {module for module in modules() for found in imports(module) if found.name.partition(".")[0] == package}
    assert {user for user in users if not user.startswith(ONLY_THERE[package] or ("-",))} == set()


def test_the_rules_see_the_files() -> None:
    """The tests above must not pass because they examine nothing."""
    assert {"diagnostics.diagnostic", "ops.base", "frontend.families.vgg", "passes.pipeline"} <= set(modules())
    assert any(found.name.startswith("yaml") for found in imports("frontend.yaml.reader"))
    assert any(found.name == "ops.OPS" for found in own("frontend.model.item"))


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import archspec", {"pydantic", "yaml", "torch", "jinja2", "graphviz", "click", "rich"}),
        ("import archspec; archspec.compile('resnet18')", {"torch", "jinja2", "graphviz", "click", "rich"}),
        ("import archspec; archspec.diff('resnet18', 'resnet34')", {"torch", "jinja2", "graphviz", "click", "rich"}),
    ],
)
def test_costs_no_more_than_it_needs(statement: str, absent: set[str]) -> None:
    code = f"import sys; {statement}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent)
    assert not absent & set(loaded.stdout.split())
