"""A graph → its page, with its spec, the spec in the core language, and its source beside the picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from archspec.backends.html.data import Text, data
from archspec.backends.html.page import Page, explorer
from archspec.backends.html.steps import Lines, LinesOf
from archspec.diagnostics.diagnostic import Diagnostic
from archspec.driver.source import Written, written
from archspec.frontend.composition import expanded
from archspec.frontend.content import Content
from archspec.frontend.loader import Spec, text
from archspec.ir.graph import Graph
from archspec.ir.module import Module, Path
from archspec.passes.pipeline import compile, expand, load

Line = Callable[[Path], int]
"""The line, from 1, of a path in a text."""


def page(graph: Graph) -> Page:
    """The page of a network."""
    return explorer(described(graph))


def described(graph: Graph) -> dict[str, Any]:
    """The data of a network's page."""
    spec = load(graph)
    spec = _as_written(spec, text(spec))  # this text includes the overrides
    source, core = written(spec), _core(spec)
    return data(source.graph, tuple(_texts(spec, core, source)), _lines(spec, core, source))


def _as_written(spec: Spec, content: str) -> Spec:
    """The spec in another text, with the same own ops."""
    return load(Content(spec.name, content.encode("utf-8")), ops=spec.ops.own)


def _core(spec: Spec) -> str:
    """The spec in the core language, if it uses a family or the library; otherwise empty."""
    is_core = spec.network is spec.model and expanded(spec).blocks.keys() == spec.network.blocks.keys()
    return "" if is_core else expand(spec)


def _texts(spec: Spec, core: str, source: Written) -> Iterator[Text]:
    yield Text("Spec", text(spec), ("spec",))
    if core:
        yield Text("Core spec", core, ("core",))
    yield Text("Source", source.text, ("made", "run"))


def _lines(spec: Spec, core: str, source: Written) -> LinesOf:
    """The lines of each step in the texts."""
    rewritten = _as_written(spec, core) if core else spec
    in_spec: Line = cache(lambda path: _line(spec, path))
    in_core: Line = cache(lambda path: _line(rewritten, path))
    twins = _twins(source.graph.root, compile(rewritten).root, {}) if core else {}

    def lines(module: Module, number: int) -> Lines:
        twin = twins.get(id(module))
        there = in_core(twin.steps[number].path) if twin else 0
        return Lines(in_spec(module.steps[number].path), there, *source.places.of(module, number))

    return lines


def _line(spec: Spec, path: Path) -> int:
    return spec.locate(Diagnostic("schema", "", path)).line


def _twins(one: Module, other: Module, found: dict[int, Module]) -> dict[int, Module]:
    """The modules of a graph by the `id` of the equal modules in another graph of the same network."""
    found[id(one)] = other
    for step, twin in zip(one.steps, other.steps, strict=True):
        if isinstance(step.target, Module) and isinstance(twin.target, Module) and id(step.target) not in found:
            _twins(step.target, twin.target, found)
    return found
