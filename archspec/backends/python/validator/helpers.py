"""The helpers of a network's ops: definitions that a generated file may contain in addition to its own classes."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from archspec.ir.graph import Graph
from archspec.ops.base import Op

_ALWAYS: Final = ("archspec.expressions.functions:make_divisible",)
"""Functions that constructors may call, whatever the ops."""


def helpers_of(graph: Graph) -> dict[str, str]:
    """The definitions by name, each as the dump of its tree: those that the ops declare, and those they use."""
    found: dict[str, str] = {}
    for helper in (*_ALWAYS, *_declared(graph)):
        home, _, name = helper.partition(":")
        _add(found, _definitions(home), name)
    return found


def _declared(graph: Graph) -> Iterator[str]:
    for module in graph.root.modules:
        for step in module.whole.steps:
            if isinstance(step.target, Op):
                yield from step.target.helpers


def _add(found: dict[str, str], definitions: Mapping[str, ast.stmt], name: str) -> None:
    if name in definitions and name not in found:
        found[name] = _dump(definitions[name])
        for node in ast.walk(definitions[name]):
            if isinstance(node, ast.Name):
                _add(found, definitions, node.id)


_dump: Final = cache(ast.dump)
"""The dump of each definition, so that it is made only once."""


@cache
def _definitions(home: str) -> dict[str, ast.stmt]:
    """The functions, classes and constants of a module's source, by name."""
    found: dict[str, ast.stmt] = {}
    for node in ast.parse(_file(home).read_text(encoding="utf-8")).body:
        for name in _names(node):
            found[name] = node
    return found


def _file(home: str) -> Path:
    """Where a module's source is, which may be the script that runs."""
    if home in sys.modules:
        return Path(str(sys.modules[home].__file__))
    spec = find_spec(home)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin)


def _names(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    yield from (target.id for target in targets if isinstance(target, ast.Name))
