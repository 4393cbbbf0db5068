"""Graph → source file: readable, plain PyTorch, for one network.

    graph ─parts, variants─▶ classes and their parameters ─classes─▶ constructors ─forward─▶ statements ─jinja─▶ text

Every decision is made in Python; the template loops and prints.

    parts       seqs that need a class of their own
    variants    which classes a network needs, and the parameters of each
    structure   what one class cannot follow
    sites       a block's instances side by side, step by step
    classes     one class, with values, calls (of constructors) and seqs
    flow        which values are read, by what, and how long
    forward     the statements of `forward`
    rules       initialisation, at the end of a constructor
    trees       expressions, folded
    layout      expressions on lines
    helpers     what the ops need beside torch
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Set
from dataclasses import replace
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2

from archspec.backends.python.calls import as_tuple, op_class
from archspec.backends.python.classes import Assignment, ClassText, write_class
from archspec.backends.python.fixed_parameters import check_structure
from archspec.backends.python.forward import Statements, write_forward
from archspec.backends.python.helpers import helpers_of
from archspec.backends.python.initialisation import rule_lines
from archspec.backends.python.instances import Irregular
from archspec.backends.python.layout import Call, lay_out
from archspec.backends.python.sequential_classes import with_parts
from archspec.backends.python.variants import Depends, Parameter, Variant, Variants
from archspec.diagnostics.errors import TargetError, printable
from archspec.expressions.printer import text_of
from archspec.expressions.sizes import tree_of
from archspec.ir.graph import Graph, Module
from archspec.ops.base import Op, is_parts

_FOLDER = Path(__file__).parent


def generate(graph: Graph) -> str:
    """The source of a network as one Python module that imports nothing but torch.

    `graph` must have been compiled with its expressions (`archspec.passes.pipeline.compile_with_expressions`). The
    text is the same for the same graph, byte for byte.
    """
    graph = replace(graph, root=with_parts(graph.root))
    try:
        texts = _classes(graph)
    except RecursionError:
        raise TargetError(f"{graph.name}: its sizes are expressions too deep to be written as source") from None
    return _environment().get_template("module.jinja").render(**_context(graph, texts))


def _classes(graph: Graph) -> list[tuple[ClassText, Statements]]:
    """The classes, each before those that use it. A block that cannot be written as one class is split."""
    split: frozenset[str] = frozenset()
    fixed: frozenset[str] = frozenset()
    while True:
        variants = Variants(graph, split, fixed)
        try:
            check_structure(variants)
            return _written(graph, variants)
        except Depends as found:
            fixed |= found.names
        except _Split as found:
            split |= {found.definition}


class _Split(Exception):
    """A block's instances need several classes."""

    def __init__(self, definition: str) -> None:
        super().__init__(definition)
        self.definition = definition


def _written(graph: Graph, variants: Variants) -> list[tuple[ClassText, Statements]]:
    written: list[tuple[ClassText, Statements]] = []
    for variant in reversed(variants.all):
        try:
            outputs = graph.outputs if variant.is_root else None
            text = write_class(variant, variants, () if outputs is None else tuple(outputs.fields.values()))
            written.append((text, _forward(text, "" if outputs is None else outputs.type)))
        except Irregular as reason:
            if variant.definition in variants.split:
                raise TargetError(f"{variant.definition}: cannot be written as source: {reason}") from None
            raise _Split(variant.definition) from None
    return written


def _forward(text: ClassText, returns: str) -> Statements:
    """The `forward` of a class; one that is an `nn.Sequential` has none of its own."""
    return Statements() if text.body is None else write_forward(text, returns)


def _context(graph: Graph, texts: list[tuple[ClassText, Statements]]) -> dict[str, Any]:
    classes = [_class(graph, text, statements) for text, statements in texts]
    root = texts[-1][0].variant
    lines = [line for c in classes for part in ("signature", "constructor", "forward") for line in c[part]]
    context = {
        "docstring": _module_docstring(graph),
        "helpers": helpers_of(graph, lines),
        "outputs": _output_class(graph),
        "classes": classes,
        "factory": _factory(graph, root),
    }
    return {**context, "imports": _imports(context)}


def _class(graph: Graph, text: ClassText, statements: Statements) -> dict[str, Any]:
    variant = text.variant
    inputs = ["x" if name == "input" else name for name in variant.body.inputs if text.body is not None]
    shape = " × ".join(str(size) for size in graph.input_shape)
    return {
        "name": variant.class_name,
        "base": "nn.Sequential" if text.is_sequential else "nn.Module",
        "docstring": _docstring(_description(graph, variant), 4),
        "signature": [line.removeprefix("    ") for line in _init(variant)],
        "constructor": _constructor(text),
        "inputs": ", ".join(f"{name}: Tensor" for name in inputs),
        "returns": _returns(graph, variant),
        "input_comment": f"  # N × {shape}" if variant.is_root else "",
        "forward": statements.lines,
    }


def _returns(graph: Graph, variant: Variant) -> str:
    """The type of what a class's `forward` returns."""
    if variant.is_root and graph.features:
        return "dict[str, Tensor]"
    if variant.is_root and graph.outputs is not None:
        return f"Tensor | {graph.outputs.type}"
    return "tuple[Tensor, ...]" if is_parts(variant.instances[0].output) else "Tensor"


def _description(graph: Graph, variant: Variant) -> str:
    if not variant.is_root:
        return variant.body.description or _contents(variant)
    return graph.description or f"The network {graph.name}."


_NAMED_LAYERS = 6


def _contents(variant: Variant) -> str:
    """What a block is made of, where its spec does not say: `conv2d, batch_norm2d and relu`."""
    module = variant.instances[0]
    kinds = [_kind(module.runs(step)) for step in module.steps]
    named = list(dict.fromkeys(kinds))
    if not named:
        return "The value itself."
    if len(named) > _NAMED_LAYERS:
        return f"{', '.join(named[:_NAMED_LAYERS])}, …"
    return f"{', '.join(named[:-1])} and {named[-1]}." if len(named) > 1 else f"{named[0]}."


def _kind(target: Op | Module) -> str:
    return target.kind if isinstance(target, Op) else target.definition or "a sequence"


def _init(variant: Variant) -> list[str]:
    return _signature("__init__", "None", variant.parameters, True, variant.op_names)


def _signature(
    name: str, returns: str, parameters: list[Parameter], method: bool, op_names: Set[str] = frozenset()
) -> list[str]:
    arguments = ["self"] if method else []
    for parameter in parameters:
        arguments.append(_argument(parameter, parameter.name in op_names))
    doc, indent, suffix = Call(f"def {name}", tuple(arguments)), 4 if method else 0, f" -> {returns}:"
    lines = lay_out(doc, indent, suffix=suffix)
    alone = len(arguments) == 1 and len(lines) > 1  # the formatter puts a comma behind it
    return lay_out(replace(doc, explode=True), indent, suffix=suffix) if alone else lines


def _argument(parameter: Parameter, is_op: bool) -> str:
    if parameter.default is ...:
        default = ""
    else:
        default = f" = {text_of(op_class(parameter.default) if is_op else as_tuple(tree_of(parameter.default)))}"
    return f"{parameter.name}: {'Callable[..., nn.Module]' if is_op else parameter.annotation}{default}"


def _constructor(text: ClassText) -> list[str]:
    lines = [] if text.is_sequential else ["        super().__init__()"]
    lines += [line for name, tree in text.lets for line in lay_out(tree, 8, f"{name} = ")]
    for assignment in text.assignments:
        lines += _assignment(assignment)
    return [line.removeprefix("        ") for line in [*lines, *rule_lines(text.variant, text.rules)]]


def _assignment(assignment: Assignment) -> list[str]:
    if assignment.prepare:
        return _prepared(assignment)
    if assignment.loop is not None:
        index, count = assignment.loop
        added = lay_out(Call("self.add_module", (assignment.name, assignment.doc)), 12)
        return [f"        for {index} in range({text_of(count)}):", *added]
    if assignment.name == "super().__init__":
        return lay_out(assignment.doc, 8)
    if not assignment.name.isidentifier():
        return lay_out(Call("self.add_module", (f'"{assignment.name}"', assignment.doc)), 8)
    if assignment.condition is None:
        return lay_out(assignment.doc, 8, f"self.{assignment.name} = ")
    return [
        f"        self.{assignment.name}: {assignment.annotation} | None = None",
        f"        if {text_of(assignment.condition)}:",
        *lay_out(assignment.doc, 12, f"self.{assignment.name} = "),
    ]


def _prepared(assignment: Assignment) -> list[str]:
    """A seq with conditional entries: a list is filled, then unpacked."""
    lines = ["        layers: list[nn.Module] = []"]
    before: ast.expr | None = None
    for _, entries in groupby(assignment.prepare, lambda entry: entry[0] and text_of(entry[0])):
        group = list(entries)
        condition = group[0][0]
        if condition is not None:
            lines.append("        else:" if _opposite(before, condition) else f"        if {text_of(condition)}:")
        before = condition
        docs = tuple(doc for _, doc in group)
        if len(docs) == 1 and not (isinstance(docs[0], Call) and docs[0].head == "*"):
            lines += lay_out(Call("layers.append", docs), 8 if condition is None else 12)
        else:
            lines += lay_out(Call("layers += ", docs, explode=True, brackets="[]"), 8 if condition is None else 12)
    own = assignment.name == "super().__init__"
    return [*lines, *lay_out(assignment.doc, 8, "" if own else f"self.{assignment.name} = ")]


def _opposite(left: ast.expr | None, right: ast.expr) -> bool:
    """Whether of two conditions just one holds, as can be seen: `a != b` and `a == b`, `c` and `not c`."""
    if isinstance(left, ast.Compare) and isinstance(right, ast.Compare) and len(left.ops) == len(right.ops) == 1:
        signs = {type(left.ops[0]), type(right.ops[0])}
        negated = ast.Compare(right.left, left.ops, right.comparators)
        return signs == {ast.Eq, ast.NotEq} and ast.unparse(negated) == ast.unparse(left)
    return left is not None and ast.unparse(right) == f"not {ast.unparse(left)}"


def _factory(graph: Graph, root: Variant) -> list[str]:
    if graph.name == root.class_name:
        return []
    article = "an" if root.class_name[0] in "AEIO" else "a"
    passed = ", ".join(f"{parameter.name}={parameter.name}" for parameter in root.parameters)
    return [
        *_signature(graph.name, root.class_name, root.parameters, False),
        f'    """Build {article} {root.class_name} with new weights."""',
        f"    return {root.class_name}({passed})",
    ]


def _output_class(graph: Graph) -> dict[str, Any] | None:
    if graph.outputs is None:
        return None
    optional = {
        field for field, ref in graph.outputs.fields.items() if ref.step >= 0 and graph.root.steps[ref.step].train_only
    }
    fields = [(field, _field_type(field, field in optional)) for field in graph.outputs.fields]
    return {"name": graph.outputs.type, "doc": "What the network returns in training.", "fields": fields}


def _field_type(name: str, optional: bool) -> str:
    kind = "Tensor | None" if optional else "Tensor"
    return f"{kind}  # type: ignore[assignment]" if name in ("count", "index") else kind  # methods of tuples


def _imports(context: dict[str, Any]) -> list[str]:
    """The imports that the finished text needs, in the order ruff sorts them."""
    text = "\n".join(
        [*context["helpers"], *(line for c in context["classes"] for line in [*c["constructor"], *c["forward"]])]
    )
    standard = []
    if "OrderedDict(" in text:
        standard.append("from collections import OrderedDict")
    text += "".join(line for c in context["classes"] for line in c["signature"])
    abstract = [name for name in ("Callable", "Sequence") if f"{name}[" in text]
    if abstract:
        standard.append(f"from collections.abc import {', '.join(abstract)}")
    if "fnmatchcase(" in text:
        standard.append("from fnmatch import fnmatchcase")
    functions = sorted({name for name in ("ceil", "floor", "sqrt") if re.search(rf"(?<![\w.]){name}\(", text)})
    if functions:
        standard.append(f"from math import {', '.join(functions)}")
    if context["outputs"] is not None:
        standard.append("from typing import NamedTuple")
    lines = [*standard, *([""] if standard else [])]
    if re.search(r"\btorch\.", text):
        lines.append("import torch")
    if re.search(r"\bF\.", text):
        lines.append("import torch.nn.functional as F")
    return [*lines, "from torch import Tensor, nn"]


def _module_docstring(graph: Graph) -> list[str]:
    shape = " × ".join(str(size) for size in graph.input_shape)
    parts = [graph.description or f"The network {graph.name}."]
    if graph.reference:
        parts.append(graph.reference)
    extra = f", {graph.train_only_params:,} of them used in training only" if graph.train_only_params else ""
    parts.append(
        f"Parameters: {graph.params:,}{extra}. MACs: {graph.macs:,} for one {shape} input (convolutions and linear "
        f"layers, evaluation)."
    )
    parts.append(f"Written by archspec from the spec {graph.name}; it needs nothing but torch.")
    return _docstring("\n\n".join(parts), 0)


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


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER), undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip
