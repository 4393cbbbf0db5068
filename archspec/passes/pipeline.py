"""Source → spec → graph: all passes in their order, as the compiler's table of contents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from archspec.diagnostics.budget import budgeted
from archspec.diagnostics.diagnostic import Diagnostic, SpecError
from archspec.frontend import loader
from archspec.frontend.composition import expanded
from archspec.frontend.loader import Source, Spec, WithOps
from archspec.frontend.model.network import Network
from archspec.frontend.overrides import Overrides, takes_overrides
from archspec.frontend.yaml.writer import dump
from archspec.ir.graph import Graph
from archspec.ops import Ops
from archspec.passes.recovery import further_errors
from archspec.passes.specialize.item_cache import ItemCache
from archspec.passes.specialize.specializer import specialize

if TYPE_CHECKING:
    from archspec.frontend.own_ops import Given


@budgeted
@takes_overrides
def load(
    source: Source, /, *, ops: Given = (), overrides: Mapping[str, Any] | None = None, **keywords: Any
) -> Spec:  # fmt: skip
    """Read and validate a spec.

    `source` is a path, the name of a shipped spec, YAML text, a spec that was loaded before, or the graph of one.
    Keywords, and the mapping `overrides`, replace the spec's fields (of a family) or parameters (of a core-language
    network), and `input`. `ops` are further ops that it may use: subclasses of `archspec.ops.base.Op`, modules that
    have such, or the names of these modules. Raises `SpecError` with every error found.

    >>> load("resnet101", num_classes=5).model.num_classes
    5
    """
    asked = overrides if isinstance(overrides, Overrides) else Overrides({})
    spec = loader.load(WithOps(source, ops) if ops else source, asked, recover)
    asked.require_clear(spec.name, spec.overridable)
    return spec


@budgeted
@takes_overrides
def compile(
    source: Source, /, *, max_nodes: int | None = None, overrides: Mapping[str, Any] | None = None, **keywords: Any
) -> Graph:
    """The graph of a spec: every name, shape, parameter and MAC, without torch.

    A network with more than `max_nodes` nodes is refused; the default is 200,000, or the limit set by `node_limit`. A
    graph is returned unchanged, unless there are overrides.

    >>> compile("resnet101").params
    44549160
    """
    is_wanted = isinstance(source, Graph) and not overrides and max_nodes is None
    if isinstance(source, Graph) and is_wanted and source.features:  # its spec is that of the whole network
        return source
    spec = load(source, overrides=overrides)
    return source if isinstance(source, Graph) and is_wanted else _specialized(spec, False, max_nodes)


def compile_with_expressions(
    source: Source, /, *, overrides: Mapping[str, Any] | None = None, items: ItemCache | None = None
) -> Graph:
    """The same graph, with the expression of each number as well, as code generation needs.

    `items` keeps what was built, for `with_parameters`.
    """
    return _specialized(load(source, overrides=overrides), True, None, items)


def with_parameters(graph: Graph, parameters: Mapping[str, Any], items: ItemCache | None = None) -> Graph:
    """The same network with other values of some of its parameters."""
    from archspec.passes.features import extract  # imported here: an analysis does not need it

    network: Network = graph.source
    changed = network.model_copy(update={"params": {**network.params, **parameters}})
    other = specialize(changed, graph.ops, carry_expressions=True, items=items)
    return extract(other, [feature.name for feature in graph.features]) if graph.features else other


@budgeted
@takes_overrides
def expand(source: Source, /, *, overrides: Mapping[str, Any] | None = None, **keywords: Any) -> str:
    """A spec as core-language YAML, with the library blocks it uses written out. It compiles to the same network.

    Raises `SpecError` if the spec does not compile.

    >>> compile(expand("resnet18", num_classes=5)) == compile("resnet18", num_classes=5)
    True
    """
    spec = load(source, overrides=overrides)
    compile(spec)
    return dump(expanded(spec).to_data())


def recover(data: dict[str, Any], found: Iterable[Diagnostic], ops: Ops) -> list[Diagnostic]:
    """Further errors in the data of a core-language network with these ops, apart from those `found` in its form."""
    return further_errors(data, found, ops, specialize)


def _specialized(
    spec: Spec, carry_expressions: bool, max_nodes: int | None, items: ItemCache | None = None
) -> Graph:  # fmt: skip
    try:
        graph = specialize(
            spec.network, spec.ops, carry_expressions=carry_expressions, max_nodes=max_nodes, items=items
        )
    except SpecError as error:
        raise error.with_diagnostics(map(spec.locate, error.diagnostics)) from None
    return replace(graph, spec=spec)
