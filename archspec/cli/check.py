"""What `archspec check` says of some specs: the totals of each or its mistakes, as text, or as JSON for editors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from archspec.diagnostics.diagnostic import Diagnostic, SpecError
from archspec.diagnostics.formatting import format_diagnostics, in_file_order
from archspec.frontend.loader import Source, path_of
from archspec.ir.graph import Graph
from archspec.ops.base import format_shape
from archspec.passes.pipeline import compile


@dataclass(frozen=True)
class Findings:
    """The totals of the specs that are fine, one line each, and the mistakes in the others, in file order."""

    totals: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]

    def text(self) -> str:
        """The mistakes for people, at most as many as can be read."""
        return format_diagnostics(self.diagnostics)

    def json(self, between: str = "\n") -> str:
        """All mistakes as a JSON array, which is empty if there are none; one mistake on a line."""
        found = [json.dumps(diagnostic.to_data(), ensure_ascii=False) for diagnostic in self.diagnostics]
        return f"[{between}{f',{between}'.join(found)}{between}]" if found else "[]"


def check(sources: Iterable[Source]) -> Findings:
    """Compile some specs, and say what comes of each.

    >>> check(["lenet"]).totals
    ('lenet: 3×32×32 → 10, 7 layers, 121,182 params, 2,327,720 MACs',)
    """
    totals: list[str] = []
    diagnostics: list[Diagnostic] = []
    for source in sources:
        try:
            totals.append(_totals(compile(source)))
        except SpecError as error:
            diagnostics += error.diagnostics
    return Findings(tuple(totals), tuple(in_file_order(diagnostics)))


def _totals(graph: Graph) -> str:
    shapes = " → ".join(map(format_shape, (graph.input_shape, graph.output_shape)))
    layers = f"{len(graph.layers):,} {'layer' if len(graph.layers) == 1 else 'layers'}"
    return f"{graph.name}: {shapes}, {layers}, {graph.params:,} params, {graph.macs:,} MACs"


def files_of(sources: Sequence[str]) -> list[str]:
    """The files that some specs are read from; raises `SpecError` for names that no spec has."""
    return [str(path_of(source)) for source in sources]
