"""Graph → source file: readable, plain PyTorch, for one network.

    graph ─instances─▶ variants ─classes─▶ constructors ─forward─▶ statements ─file─▶ text

Every decision is made in Python; the template loops and prints.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from archspec.backends.python.classes.class_source import ClassSource
from archspec.backends.python.classes.write_class import write_class
from archspec.backends.python.file.template_context import context
from archspec.backends.python.forward.write_forward import write_forward
from archspec.backends.python.instances.fixed_parameters import check_structure
from archspec.backends.python.instances.outlining import outlined
from archspec.backends.python.instances.sites import NotMergeable
from archspec.backends.python.instances.variants import MustBeFixed, Variants
from archspec.backends.templates import environment
from archspec.diagnostics.diagnostic import TargetError
from archspec.ir.graph import Graph, Outputs

_FOLDER = Path(__file__).parent / "file"


def generate(graph: Graph) -> str:
    """The source of a network as one Python module that imports nothing but torch.

    `graph` must have been compiled with its expressions (`archspec.passes.pipeline.compile_with_expressions`). The
    text is the same for the same graph, byte for byte.
    """
    graph = replace(graph, root=outlined(graph.root))
    try:
        texts = _classes(graph)
    except RecursionError:
        raise TargetError(f"{graph.name}: the expressions of its sizes are nested too deeply for source code") from None
    return environment(_FOLDER).get_template("module.jinja").render(**context(graph, texts))


def _classes(graph: Graph) -> list[tuple[ClassSource, list[str]]]:
    """The classes, each before those that use it. A block that cannot be written as one class is split, first by the
    items that its instances have, then also by the numbers that its functions take."""
    split: frozenset[str] = frozenset()
    apart: frozenset[str] = frozenset()
    fixed: frozenset[str] = frozenset()
    while True:
        variants = Variants(graph, split, fixed, apart)
        try:
            check_structure(variants)
            return _written(graph, variants)
        except MustBeFixed as found:
            fixed |= found.names
        except _MustBeSplit as found:
            apart |= split & {found.definition}
            split |= {found.definition}


class _MustBeSplit(Exception):
    """A block's instances need several classes."""

    def __init__(self, definition: str) -> None:
        super().__init__(definition)
        self.definition = definition


def _written(graph: Graph, variants: Variants) -> list[tuple[ClassSource, list[str]]]:
    written: list[tuple[ClassSource, list[str]]] = []
    for variant in reversed(variants.all):
        try:
            outputs = graph.outputs if variant.is_root else None
            kept = () if outputs is None or outputs.always else tuple(outputs.fields.values())
            text = write_class(variant, variants, kept)
            written.append((text, _forward(text, outputs)))
        except NotMergeable as reason:
            if variant.definition in variants.apart:
                raise TargetError(f"{variant.definition}: cannot be written as source: {reason}") from None
            raise _MustBeSplit(variant.definition) from None
    return written


def _forward(text: ClassSource, outputs: Outputs | None) -> list[str]:
    """The `forward` of a class; one that is an `nn.Sequential` has none of its own."""
    return [] if text.body is None else write_forward(text, outputs)
