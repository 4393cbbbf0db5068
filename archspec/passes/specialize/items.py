"""One item → what it runs (an op with checked fields, an instance of a block, a seq, a call), and its output shape."""

from __future__ import annotations

import ast
from collections.abc import Container
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archspec.diagnostics.budget import spend
from archspec.diagnostics.diagnostic import Path
from archspec.diagnostics.suggestions import nearest
from archspec.expressions.parse import has_expression, is_expression
from archspec.expressions.sizes import Dim
from archspec.frontend.model.block import Block
from archspec.frontend.model.item import Item
from archspec.ir.definition import Position, input_names
from archspec.ir.module import Module, Step
from archspec.ops.base import Op, is_own
from archspec.ops.chosen import ChosenOp
from archspec.ops.initialisers import parse_initialiser
from archspec.ops.shapes import Shape, ShapeError, TooSmallError, Value, format_shape, is_parts, numel
from archspec.passes.own_op_shapes import OwnOpError, own_output
from archspec.passes.specialize.bindings import Bindings
from archspec.passes.specialize.caller_shapes import output_for_caller, require_short
from archspec.passes.specialize.errors import BodyErrors
from archspec.passes.specialize.shape_errors import failing_inputs
from archspec.passes.specialize.value_table import Operand, ValueTable
from archspec.passes.unknown import UNKNOWN, Unknown

if TYPE_CHECKING:
    from archspec.passes.specialize.specializer import Specializer

MAX_ELEMENTS: Final = 1 << 62
"""The most elements of one value. No machine can hold as many, and repeats that double a size would run for hours."""

Trees = dict[str, ast.expr]
"""The expressions of arguments, by their names."""

Built = tuple[Op | Module | int, Value, Trees]
"""What an item runs (an op, a module, or the number of the step whose module runs again), its output shape, and the
expressions of its arguments."""


class Occurrence(NamedTuple):
    """An item in one round of the repeats around it: its operands, and its place in the spec and in the network."""

    item: Item
    operands: list[Operand]
    path: Path
    position: Position
    where: str

    @property
    def from_path(self) -> Path:
        """The path of the item's `from`, or of the item if it has none."""
        return self.path if self.item.from_ is None else (*self.path, "from")

    @property
    def shapes(self) -> list[Value]:
        """The shapes of the operands, which must be known."""
        return [value for _, value in self.operands]  # type: ignore[misc]

    @property
    def is_known(self) -> bool:
        """Whether the shapes of all operands are known."""
        return UNKNOWN not in [value for _, value in self.operands]


class ItemBuilder:
    """Builds what the items of one body run. Whatever cannot be built is `UNKNOWN`, and its errors are reported."""

    def __init__(self, run: Specializer, values: ValueTable, bindings: Bindings, errors: BodyErrors) -> None:
        self._run = run
        self._carry = run.mode.carry
        self._values = values
        self._bindings = bindings
        self._errors = errors

    def build(self, at: Occurrence) -> Built | Unknown:
        """What an item runs: built once for all places where everything that it reads is the same."""
        key = self._run.items.key(at, self._bindings, self._run.is_in_block)
        known = None if key is None else self._run.items.get(key)
        if known is not None:
            return known
        built = self._build(at)
        if built is not UNKNOWN:
            if self._carry:
                require_short(built[1])
            if key is not None:
                self._run.items.keep(key, at.item, built)
        return built

    def _build(self, at: Occurrence) -> Built | Unknown:
        if at.item.call is not None:
            return self._call(at, at.item.call)
        if at.item.seq is not None:
            return self._seq(at, at.item.seq)
        if at.item.spec is not None:  # it would be a block, had it no error
            for found in self._run.wrong_specs[id(at.item)]:
                self._errors.add(found.at(at.path), at.where)
            return UNKNOWN
        evaluated = self._arguments(at)
        if evaluated is UNKNOWN:
            return UNKNOWN
        if at.item.block is not None:
            return self._block(at, at.item.block, *evaluated)
        return self._op(at, *evaluated)

    def _arguments(self, at: Occurrence) -> tuple[dict[str, Any], Trees] | Unknown:
        values: dict[str, Any] = dict(at.item.arguments)
        trees: Trees = {}
        is_known = True
        for name, given in at.item.computed.items():
            if isinstance(given, dict):
                value = self._initialiser(name, given, at.path, trees)
            else:
                value, tree = self._bindings.evaluate_symbolic(given, (*at.path, name))
                if self._carry:
                    trees[name] = tree
            values[name] = value
            is_known = is_known and value is not UNKNOWN
        return (values, trees) if is_known else UNKNOWN

    def _initialiser(self, field: str, given: dict[str, Any], path: Path, trees: Trees) -> dict[str, Any] | Unknown:
        """An initialiser with its arguments evaluated, whose expressions go to `trees` under `field.argument`."""
        way, arguments = parse_initialiser(given)
        filled: dict[str, Any] = {}
        for name, value in arguments.items():
            filled[name], tree = self._bindings.evaluate_symbolic(value, (*path, field, way, name))
            if self._carry and has_expression(value):
                trees[f"{field}.{name}"] = tree
        return UNKNOWN if any(value is UNKNOWN for value in filled.values()) else {way: filled}

    # -- ops ------------------------------------------------------------------------------------------------------

    def _op(self, at: Occurrence, arguments: dict[str, Any], trees: Trees) -> Built | Unknown:
        kind, tree = self._bindings.evaluate_symbolic(at.item.op, (*at.path, "op"))
        if isinstance(kind, ChosenOp):
            return self._op_of(kind.kind, tree, at, {**kind.fields, **arguments}, trees) if self._agree(
                kind, at, arguments) else UNKNOWN  # fmt: skip
        return self._op_of(kind, tree, at, arguments, trees)

    def _agree(self, chosen: ChosenOp, at: Occurrence, arguments: dict[str, Any]) -> bool:
        """Check that an item gives no field that its op already has."""
        twice = sorted(chosen.fields.keys() & arguments.keys())
        for name in twice:
            message = f"'{name}' is given twice: by the item and by the op, {chosen}"
            self._errors.report("reference", message, (*at.path, name), at.where, about_key=True)
        return not twice

    def _op_of(
        self, kind: Any, tree: ast.expr, at: Occurrence, arguments: dict[str, Any], trees: Trees
    ) -> Built | Unknown:  # fmt: skip
        if not isinstance(kind, str) or kind not in self._run.known:
            if kind is not UNKNOWN:
                help = nearest(str(kind), self._run.known)
                self._errors.report("reference", f"unknown op '{kind}'", (*at.path, "op"), at.where, help=help)
            return UNKNOWN
        op = self._run.ops.op(kind, arguments, at.path, at.where, self._errors, self._bindings.scope)
        if op is UNKNOWN or not self._accepts(op, at, at.from_path):
            return UNKNOWN
        if self._carry:
            op = _symbolic(op, arguments)
            trees = {**trees, "op": tree} if is_expression(at.item.op) else trees
        self._values.target = op
        output = self._infer(op, at, at.path, at.item.arguments)
        return UNKNOWN if output is UNKNOWN else (op, output, trees)

    def _accepts(self, op: Op, at: Occurrence, path: Path) -> bool:
        """Whether an op gets as many inputs as it expects, all of them tensors of known shape."""
        least, most = op.takes()
        count = len(at.operands)
        if count < least or (most is not None and count > most):
            wanted = _inputs(least) if count < least or most == least else f"at most {_inputs(most or 0)}"
            help = "list them: from: [a, b]" if count < least else "combine some of them first, with add or cat"
            if most is not None and op.arity[1] is None:
                help = "leave out value: it takes the place of the second input"
            self._errors.report("reference", f"{op.kind} expects {wanted}, got {count}", path, at.where, help=help)
            return False
        for ref, value in at.operands:
            if value is not UNKNOWN and is_parts(value):
                message = f"{op.kind} expects one tensor, got {len(value)} parts"
                part = next(iter(self._values.names_of_parts(ref)), "0")
                help = f"use one of them: from: {self._values.title(ref)}.{part}"
                self._errors.report("reference", message, path, at.where, help=help)
                return False
        return at.is_known

    def _infer(self, op: Op, at: Occurrence, path: Path, given: Container[str] = ()) -> Value | Unknown:
        """The output shape of an op. An error is shown at the field that it is about, if that is `given` in the
        spec."""
        try:
            output = own_output(op, at.shapes) if is_own(type(op)) else op.yields(*at.shapes)  # type: ignore[arg-type]
        except (ShapeError, OwnOpError) as error:
            if isinstance(error, TooSmallError):
                self._errors.collector.mark_too_small()
            field = tuple(part for part in error.diagnostic.path if part in given)
            edges = failing_inputs(self._values, at.operands)
            self._errors.add(replace(error.diagnostic, path=(*path, *field), edges=edges), at.where)
            return UNKNOWN
        if not is_parts(output) and numel(output) > MAX_ELEMENTS:  # type: ignore[arg-type]
            edges = failing_inputs(self._values, at.operands)
            self._errors.report("limit", "the output has more than 2^62 elements", path, at.where, edges=edges)
            return UNKNOWN
        return output

    # -- blocks and seqs ------------------------------------------------------------------------------------------

    def _block(self, at: Occurrence, name: str, arguments: dict[str, Any], trees: Trees) -> Built | Unknown:
        found = self._run.block(name)
        if found is None:
            help = nearest(name, self._run.block_names())
            self._errors.report("reference", f"unknown block '{name}'", (*at.path, "block"), at.where, help=help)
            return UNKNOWN
        block, _ = found
        takes_arguments = self._takes_arguments(at, name, block, arguments)
        if not self._takes_operands(at, name, block) or not takes_arguments or not at.is_known:
            return UNKNOWN
        inputs = dict(zip(input_names(block.inputs, len(at.operands)), at.shapes, strict=True))
        module = self._run.instance(name, arguments, inputs, at.path, at.where, self._errors)
        if module is UNKNOWN:
            self._errors.failed = True
            return UNKNOWN
        if not self._carry:
            return module, module.output, trees
        unrolled = {name: self._bindings.unrolled(tree) for name, tree in trees.items()}
        return module, output_for_caller(module, block, arguments, unrolled, at.shapes), trees

    def _takes_arguments(self, at: Occurrence, name: str, block: Block, arguments: dict[str, Any]) -> bool:
        """Whether a block gets the arguments it needs, and no others."""
        spend(len(block.params))
        if block.required <= arguments.keys() <= block.params.keys():
            return True
        strays = {stray: nearest(stray, block.params) for stray in arguments if stray not in block.params}
        for stray, help in strays.items():
            self._errors.report("reference", f"{name} has no parameter '{stray}'", (*at.path, stray), at.where,
                                help=help or "it has no parameters", about_key=True)  # fmt: skip
        missing = [p for p in block.params if p in block.required and p not in arguments]
        absent = [p for p in missing if f"did you mean '{p}'?" not in strays.values()]
        if absent:
            self._errors.report("reference", f"{name} requires {', '.join(absent)}", at.path, at.where,
                                help=f"add {absent[0]}: …")  # fmt: skip
        return False

    def _takes_operands(self, at: Occurrence, name: str, block: Block) -> bool:
        """Whether a block gets as many values as it has inputs."""
        wanted, count = len(block.inputs), len(at.operands)
        if block.rest is not None and count >= max(1, wanted - 1):
            return True
        if block.rest is not None or count != wanted:
            least = f"at least {_inputs(max(1, wanted - 1))}" if block.rest is not None else _inputs(wanted)
            message = f"{name} expects {least}, got {count}"
            help = "combine some of them first, with add or cat"
            help = help if count > wanted else f"its inputs: {', '.join(block.inputs)}"
            self._errors.report("reference", message, at.from_path, at.where, help=help)
            return False
        return True

    def _seq(self, at: Occurrence, items: list[Item]) -> Built | Unknown:
        if len(at.operands) != 1:
            message = f"a seq expects 1 input, got {len(at.operands)}"
            help = "combine them first, with add or cat"
            self._errors.report("reference", message, at.from_path, at.where, help=help)
            return UNKNOWN
        if not at.is_known:
            return UNKNOWN
        module = self._run.seq(at, items, self._bindings, self._errors)
        if module is UNKNOWN:
            self._errors.failed = True
            return UNKNOWN
        return module, module.output, {}

    # -- calls ----------------------------------------------------------------------------------------------------

    def _call(self, at: Occurrence, call: str) -> Built | Unknown:
        modules, name = self._values.modules, self._bindings.fill(call, at.path, declares=False)
        if name is UNKNOWN or (name not in modules and self._errors.has_gaps):
            return UNKNOWN
        if name not in modules:
            message, help = f"unknown module '{name}'", nearest(name, modules)
            self._errors.report("reference", message, (*at.path, "call"), at.where, help=help)
            return UNKNOWN
        number = modules[name]
        if number is UNKNOWN:
            return UNKNOWN
        self._values.target = number
        output = self._call_output(self._values.steps[number], at)
        return UNKNOWN if output is UNKNOWN else (number, output, {})

    def _call_output(self, step: Step, at: Occurrence) -> Value | Unknown:
        """The output shape of a module that runs again. Its parameters must fit the new input."""
        target, before = step.target, [self._values.shape_of(ref) for ref in step.inputs]
        if isinstance(target, Op) and self._accepts(target, at, at.path):
            now: list[Shape] = at.shapes  # type: ignore[assignment]
            output = self._infer(target, at, at.path)
            if output is UNKNOWN or target.constructor(*now) == target.constructor(*before):  # type: ignore[arg-type]
                return output
        elif isinstance(target, Module) and at.shapes == before:
            return step.output
        if at.is_known:
            shapes = [" and ".join(map(format_shape, values)) for values in (before, at.shapes)]
            message = f"{step.name} was built for {shapes[0]}, got {shapes[1]}"
            kind = "layer with these arguments" if isinstance(target, Op) else "block or seq"
            help = f"a shared {kind} accepts one input shape; declare another module here"
            if isinstance(target, Module):
                help += ", or call its layers one by one"
            edges = failing_inputs(self._values, at.operands)
            self._errors.report("shape", message, at.path, at.where, help=help, edges=edges)
        return UNKNOWN


def _inputs(count: int) -> str:
    return "1 input" if count == 1 else f"{count} inputs"


def _symbolic(op: Op, arguments: dict[str, Any]) -> Op:
    """An op whose numbers carry the expressions of its arguments."""
    dims: dict[str, Any] = {name: value for name, value in arguments.items() if isinstance(value, Dim)}
    for name, value in arguments.items():
        if isinstance(value, list) and any(isinstance(element, Dim) for element in value):
            dims[name] = type(getattr(op, name))(value)
    return op.model_copy(update=dims) if dims else op
