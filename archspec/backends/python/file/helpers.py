"""The helpers that a network's ops need in addition to torch: functions and classes, copied from their source files."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from archspec.diagnostics.diagnostic import TargetError
from archspec.ir.graph import Graph
from archspec.ops.base import Op

_OF_EXPRESSIONS: Final = ("archspec.expressions.functions:make_divisible",)

_IMPORTED: Final = frozenset({
    "torch", "torch.nn", "torch.Tensor", "torch.nn.functional", "collections.abc.Callable", "collections.abc.Sequence",
    "math.ceil", "math.floor", "math.sqrt",
})  # fmt: skip
"""The imports that a generated file has if it needs them."""


def helpers_of(graph: Graph, lines: Iterable[str]) -> list[str]:
    """The source of the helpers that the lines of a file use, each after those it uses itself."""
    text = "\n".join(lines)
    homes: dict[str, str] = {}
    for helper in sorted({*_OF_EXPRESSIONS, *_declared(graph)}, key=lambda helper: helper.partition(":")[2]):
        home, _, name = helper.partition(":")
        if re.search(rf"(?<![\w.]){name}(?!\w)", text) and homes.setdefault(name, home) != home:
            raise TargetError(f"two helpers are called '{name}': of {homes[name]} and of {home}")
    found: dict[str, str] = {}
    for name, home in homes.items():
        _collect(found, home, name)
    return [source for source in found.values() if source]


def _declared(graph: Graph) -> Iterator[str]:
    for module in graph.root.modules:
        for step in module.whole.steps:
            if isinstance(step.target, Op):
                yield from step.target.helpers


def _collect(found: dict[str, str], home: str, name: str) -> None:
    """Add a definition, after those of the same file that it uses."""
    if name in found:
        return
    definition = _file(home).definitions.get(name)
    if definition is None:
        raise TargetError(f"unknown helper '{name}' in {home}")
    found[name] = ""  # a definition may use itself
    for used in definition.names:
        origin = _file(home).imported.get(used, "torch")
        if origin not in _IMPORTED:
            raise TargetError(f"the helper '{name}' of {home} uses {origin}, which a generated file does not import")
        if used in _file(home).definitions:
            _collect(found, home, used)
    del found[name]
    found[name] = definition.source


class _Definition(NamedTuple):
    source: str
    names: tuple[str, ...]
    """The names it reads, in the order of the text."""


class _File(NamedTuple):
    definitions: dict[str, _Definition]
    imported: dict[str, str]
    """The full names of the file's imports: `nn` is `torch.nn`."""


@cache
def _file(home: str) -> _File:
    text = _text(home)
    found = _File({}, {})
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import):
            found.imported.update({a.asname or a.name: a.name for a in node.names})
        elif isinstance(node, ast.ImportFrom):
            found.imported.update({a.asname or a.name: f"{node.module}.{a.name}" for a in node.names})
        else:
            found.definitions.update(dict.fromkeys(_defined(node), _Definition(_source(text, node), _read(node))))
    return found


def _text(home: str) -> str:
    """The source of a module, imported or not; `__main__` is the running script."""
    known = sys.modules.get(home)
    spec = None if known is not None else find_spec(home)
    origin = getattr(known, "__file__", None) or (spec.origin if spec is not None else None)
    if origin is None:
        raise TargetError(f"cannot find the file of the module {home}, to copy helpers from")
    return Path(origin).read_text(encoding="utf-8")


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _source(text: str, node: ast.stmt) -> str:
    """A statement's text, its decorators included."""
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])


def _read(node: ast.stmt) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.id for part in ast.walk(node) if isinstance(part, ast.Name)))
