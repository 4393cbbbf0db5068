"""The docstrings of a generated file."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator

from archspec.backends.python.instances.variants import Variant
from archspec.diagnostics.formatting import joined, printable
from archspec.ir.graph import Graph
from archspec.ir.module import Module, Step
from archspec.ops.base import Op
from archspec.ops.collect import Collect
from archspec.ops.shapes import is_integer

_NAMED_LAYERS = 6
"""How many kinds of layers are named for a block without a description."""


def module_docstring(graph: Graph) -> list[str]:
    """The docstring of the file: what the network is, its parameters and MACs."""
    parts = [graph.description or f"The network {graph.name}."]
    if graph.reference:
        parts.append(graph.reference)
    extra = f", {graph.train_only_params:,} of them used in training only" if graph.train_only_params else ""
    parts.append(
        f"Parameters: {graph.params:,}{extra}. MACs: {graph.macs:,} for one {_input(graph)} ({_counted(graph)}, "
        f"evaluation)."
    )
    parts.append(f"Written by archspec from the spec {graph.name}; it needs nothing but torch.")
    return _docstring("\n\n".join(parts), 0)


def _input(graph: Graph) -> str:
    shape = " × ".join(str(size) for size in graph.input_shape)
    return f"input of {shape} token ids" if is_integer(graph.input_shape) else f"{shape} input"


def _counted(graph: Graph) -> str:
    """The kinds of ops that multiply-accumulates are counted for, in words."""
    products = any(_is_product(module, step) for module in graph.root.modules for step in module.steps)
    return "convolutions, linear layers and matrix products" if products else "convolutions and linear layers"


def _is_product(module: Module, step: Step) -> bool:
    """Whether a step multiplies values with each other, as matmul and attention do."""
    op = module.runs(step)
    return isinstance(op, Op) and not op.has_parameters() and op.macs(module.shapes(step), step.output) > 0


def class_docstring(graph: Graph, variant: Variant) -> list[str]:
    """The docstring of a class: the block's description, or its contents."""
    return _docstring(_description(graph, variant), 4)


def _description(graph: Graph, variant: Variant) -> str:
    if not variant.is_root:
        said = variant.body.description or _contents(variant)
        return f"{said}\n\nReturns {joined(variant.body.returns, 'and')}." if variant.body.returns else said
    return graph.description or f"The network {graph.name}."


def _contents(variant: Variant) -> str:
    """The contents of a block, if its spec has no description: `conv2d, batch_norm2d and relu`.

    They are those of the instance that has the most: others leave items out.
    """
    named = max((list(dict.fromkeys(_kinds(module, variant))) for module in variant.instances), key=len)
    if not named:
        return "The value itself."
    if len(named) > _NAMED_LAYERS:
        return f"{', '.join(named[:_NAMED_LAYERS])}, …"
    return f"{', '.join(named[:-1])} and {named[-1]}." if len(named) > 1 else f"{named[0]}."


def _kinds(module: Module, variant: Variant) -> Iterator[str]:
    """The kinds of a block's items, or the arguments that choose them; those of a seq's items for a seq."""
    for step in module.steps:
        target, chosen = module.runs(step), step.trees.get("op")
        if isinstance(chosen, ast.Name) and chosen.id in variant.op_names:
            yield chosen.id
        elif isinstance(target, Op):
            if not isinstance(target, Collect):
                yield target.kind
        elif target.definition:
            yield target.definition
        else:
            yield from _kinds(target, variant)


def _docstring(text: str, indent: int) -> list[str]:
    """A text from a spec as a docstring that it cannot break out of."""
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    safe = [printable(part).replace("\\", "\\\\").replace('"""', '\\"\\"\\"') for part in paragraphs if part]
    width = 118 - indent
    lines: list[str] = []
    for part in safe:
        quotes = "" if lines else '"'  # three, on a line that may be two wider than the rest
        wrapped = textwrap.wrap(quotes + part, width, break_long_words=False, break_on_hyphens=False)
        lines += ["", wrapped[0].removeprefix(quotes), *wrapped[1:]]
    lines = lines[1:] or [""]
    if len(lines) == 1 and width - 6 < len(lines[0]):  # it does not fit between its quotes
        lines = textwrap.wrap(lines[0], width - 6, break_long_words=False, break_on_hyphens=False)
    if len(lines) == 1 and len(lines[0]) + 6 <= width and not lines[0].endswith(('"', "\\")):
        return [f'"""{lines[0]}"""']
    return [f'"""{lines[0]}', *lines[1:], '"""']
