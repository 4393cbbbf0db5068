"""A graph → its page: the texts beside the picture are its spec, the spec in the core language, and its source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from archspec.backends.html.data import Text, data
from archspec.backends.html.page import Page, explorer
from archspec.backends.html.steps import Lines, LinesOf
from archspec.diagnostics.diagnostic import Diagnostic
from archspec.frontend.content import Content
from archspec.frontend.loader import Spec, expanded, text
from archspec.ir.graph import Graph
from archspec.ir.module import Module, Path
from archspec.passes.pipeline import compile, expand, load
from archspec.source import Written, written

Line = Callable[[Path], int]
"""The line of a text, from 1, that a path stands on."""


def page(graph: Graph) -> Page:
    """The page of a network."""
    return explorer(described(graph))


def described(graph: Graph) -> dict[str, Any]:
    """What a page knows of a network."""
    spec = load(graph)
    spec = _as_written(spec, text(spec))  # overrides have their place in this text
    source, core = written(spec), _core(spec)
    return data(source.graph, tuple(_texts(spec, core, source)), _lines(spec, core, source))


def _as_written(spec: Spec, content: str) -> Spec:
    """A spec in other words, with the same ops of its own."""
    return load(Content(spec.name, content.encode("utf-8")), ops=spec.ops.own)


def _core(spec: Spec) -> str:
    """The spec in the core language, if it leaves something to a family or the library; else nothing."""
    is_core = spec.network is spec.model and expanded(spec).blocks.keys() == spec.network.blocks.keys()
    return "" if is_core else expand(spec)


def _texts(spec: Spec, core: str, source: Written) -> Iterator[Text]:
    yield Text("Spec", text(spec), ("spec",))
    if core:
        yield Text("Core spec", core, ("core",))
    yield Text("Source", source.text, ("made", "run"))


def _lines(spec: Spec, core: str, source: Written) -> LinesOf:
    """Where each step is in the texts."""
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
    """The modules of a network by the `id` of the equal ones in another graph of it."""
    found[id(one)] = other
    for step, twin in zip(one.steps, other.steps, strict=True):
        if isinstance(step.target, Module) and isinstance(twin.target, Module) and id(step.target) not in found:
            _twins(step.target, twin.target, found)
    return found
