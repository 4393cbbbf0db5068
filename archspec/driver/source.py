"""A spec → its validated source file, with the lines of each layer in it."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.frontend.loader import Source
from archspec.ir.graph import Graph
from archspec.passes.pipeline import compile_with_expressions, with_parameters

if TYPE_CHECKING:
    from archspec.backends.python.validator.lines import Places


class Written(NamedTuple):
    """A source file, the graph that it was written for, and the lines of the steps of the graph's modules."""

    text: str
    graph: Graph
    places: Places


def written(
    source: Source, overrides: Mapping[str, Any] | None = None, features: Sequence[str] = (),
    fold_batch_norm: bool = False,
) -> Written:  # fmt: skip
    """The source file of a network, or of a form of it. Raises `ValidationError` if it does not match the network."""
    from archspec.backends.python import generate as target
    from archspec.backends.python.validator.validate import validate
    from archspec.passes.features import extract
    from archspec.passes.fold_batch_norm import fold
    from archspec.passes.specialize.item_cache import ItemCache

    items = ItemCache(several_runs=True)

    def form(graph: Graph) -> Graph:
        graph = fold(graph).graph if fold_batch_norm else graph
        return extract(graph, features) if features else graph

    with _without_collection():
        whole = compile_with_expressions(source, overrides=overrides, items=items)
        graph = form(whole)
        text = target.generate(graph)
        places = validate(text, graph, lambda parameters: form(with_parameters(whole, parameters, items)))
    return Written(text, graph, places)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Disable cyclic garbage collection: it takes a third of the time, and the trees that are built all stay in use."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
