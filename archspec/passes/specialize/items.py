"""What an item comes to: an op with its fields checked, an instance of a block, a seq, or a call, and its shape."""

from __future__ import annotations

import ast
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Final

from archspec.diagnostics.errors import Path, nearest
from archspec.expressions.parse import has_expression, is_expression
from archspec.expressions.rewrite import is_long, names_in, substitute
from archspec.expressions.sizes import Dim, int_of, tree_of
from archspec.frontend import library
from archspec.frontend.model import Block, Item
from archspec.ir.definition import Position
from archspec.ir.module import Module, Ref, Step
from archspec.ops import OPS
from archspec.ops.base import Op, Shape, ShapeError, TooSmallError, Value, format_shape, is_parts, numel
from archspec.passes.specialize.bindings import WRONG, TooLong, Values
from archspec.passes.specialize.naming import input_symbol, named_size

MAX_ELEMENTS: Final = 1 << 62
"""Elements of one value. No machine holds as many; repeats that double a size would calculate for hours."""

FAILED: Final = -1
"""Stands for the step of a module that could not be made: calls of it stay silent."""

Made = tuple[Op | Module | int, Value, dict[str, ast.expr]]
"""What an item comes to: what runs, the shape it yields, and the expressions of its arguments."""


class Making(Values):
    """Values, and the ways to make new ones."""

    def made(
        self, item: Item, inputs: list[tuple[Ref, Value | None]], path: Path, position: Position, where: str
    ) -> Made | None:
        """What an item comes to. One that is all literals comes to the same for inputs of the same shapes."""
        if self.owner.carry:
            found = self.make(item, inputs, path, position, where)
            if found is not None:
                require_short(found[1])
            return found
        if not item.is_literal:
            return self.make(item, inputs, path, position, where)
        key = (id(item), *((type(value), value) for _, value in inputs))
        found = self.owner.made.get(key)
        if found is None:
            found = self.make(item, inputs, path, position, where)
            if found is not None:
                self.owner.made[key] = found
        return found

    def make(
        self, item: Item, inputs: list[tuple[Ref, Value | None]], path: Path, position: Position, where: str
    ) -> tuple[Op | Module | int, Value, dict[str, ast.expr]] | None:
        """What an item runs, the shape it yields, and its arguments' expressions; `None` after a mistake."""
        if item.call is not None:
            return self.make_call(item, inputs, path, where)
        if item.seq is not None:
            return self.make_seq(item, item.seq, inputs, path, position, where)
        evaluated = self.arguments(item, path)
        if evaluated is None:
            return None
        if item.block is not None:
            return self.make_block(item, item.block, *evaluated, inputs, path, where)
        return self.make_op(item, *evaluated, inputs, path, where)

    def arguments(self, item: Item, path: Path) -> tuple[dict[str, Any], dict[str, ast.expr]] | None:
        values, trees = {}, {}
        for name, given in item.arguments.items():
            values[name], tree = self.evaluate_symbolic(given, (*path, name))
            if self.owner.carry and has_expression(given):
                trees[name] = tree
        return None if any(value is WRONG for value in values.values()) else (values, trees)

    def make_op(
        self, item: Item, arguments: dict[str, Any], trees: dict[str, ast.expr],
        inputs: list[tuple[Ref, Value | None]], path: Path, where: str,
    ) -> tuple[Op, Value, dict[str, ast.expr]] | None:  # fmt: skip
        kind, tree = self.evaluate_symbolic(item.op, (*path, "op"))
        if self.owner.carry and is_expression(item.op):
            trees = {**trees, "op": tree}
        if not isinstance(kind, str) or kind not in OPS:
            if kind is not WRONG:
                self.problem(
                    "reference", f"there is no op '{kind}'", (*path, "op"), where, help=nearest(str(kind), OPS)
                )
            return None
        op = self.owner.op(kind, arguments, self.pinned or path, where, self.pinned is not None)
        if op is None or not self.check_inputs(op, inputs, _taken(item, path), where):
            return None
        op = _symbolic(op, arguments) if self.owner.carry else op
        self.runs = op
        output = self.infer(op, inputs, path, where, item.arguments)
        return None if output is None else (op, output, trees)

    def check_inputs(self, op: Op, inputs: list[tuple[Ref, Value | None]], path: Path, where: str) -> bool:
        """Whether an op gets as many tensors as it takes."""
        least, most = op.arity
        if len(inputs) < least or (most is not None and len(inputs) > most):
            wanted = _values(least) if most == least else f"at least {_values(least)}"
            help = "list them: from: [a, b]" if len(inputs) < least else "join some of them first, with add or cat"
            self.problem("reference", f"{op.kind} takes {wanted}, and gets {len(inputs)}", path, where, help=help)
            return False
        for ref, value in inputs:
            if value is not None and is_parts(value):
                self.problem("reference", f"{op.kind} takes one tensor, and gets {len(value)} parts", path, where,
                             help=f"refer to one of them: from: {self.title(ref)}.0")  # fmt: skip
                return False
        return all(value is not None for _, value in inputs)

    def infer(
        self, op: Op, inputs: list[tuple[Ref, Value | None]], path: Path, where: str, given: Iterable[str] = ()
    ) -> Value | None:
        """The shape an op yields; a mistake is shown at the field that breaks the rule, if that is `given`."""
        try:
            output = op.yields(*[value for _, value in inputs])  # type: ignore[arg-type]
        except ShapeError as error:
            at = (*path, error.field) if error.field in given else path
            if isinstance(error, TooSmallError) and self.owner.too_small is None:
                self.owner.too_small = len(self.owner.problems)
            self.problem("shape", str(error), at, where, help=error.help, edges=self.edges(inputs))
            return None
        if not is_parts(output) and numel(output) > MAX_ELEMENTS:  # type: ignore[arg-type]
            self.problem("limit", "more than 2^62 elements", path, where, edges=self.edges(inputs))
            return None
        return output

    def make_block(
        self, item: Item, name: str, arguments: dict[str, Any], trees: dict[str, ast.expr],
        inputs: list[tuple[Ref, Value | None]], path: Path, where: str,
    ) -> tuple[Module, Value, dict[str, ast.expr]] | None:  # fmt: skip
        found = self.owner.block(name)
        if found is None:
            known = [*self.owner.network.blocks, *library.names()]
            message = f"there is no block '{name}'"
            self.problem("reference", message, (*path, "block"), where, help=nearest(name, known))
            return None
        block, _ = found
        right = self.check_arguments(name, block, arguments, path, where)
        if len(inputs) != len(block.inputs):
            message = f"{name} takes {_values(len(block.inputs))}, and gets {len(inputs)}"
            many = len(inputs) > len(block.inputs)
            help = "join some of them first, with add or cat" if many else f"they are: {', '.join(block.inputs)}"
            self.problem("reference", message, _taken(item, path), where, help=help)
            return None
        if not right:
            return None
        values = {n: value for n, (_, value) in zip(block.inputs, inputs, strict=True)}
        if any(value is None for value in values.values()):
            return None
        module = self.owner.instance(name, arguments, values, where, self.pinned or path)  # type: ignore[arg-type]
        if module is None:
            self.failed = True
            return None
        output = self.translate(module, block, arguments, trees, inputs) if self.owner.carry else module.output
        return module, output, trees

    def check_arguments(self, name: str, block: Block, arguments: dict[str, Any], path: Path, where: str) -> bool:
        """Whether a block gets the arguments it needs, and no others."""
        known = len(self.owner.problems)
        strays = {stray: nearest(stray, block.params) for stray in arguments if stray not in block.params}
        for stray, help in strays.items():
            self.problem("reference", f"{name} has no parameter '{stray}'", (*path, stray), where,
                         help=help or "it has no parameters", about_key=True)  # fmt: skip
        missing = [p for p, default in block.params.items() if default is None and p not in arguments]
        missing = [p for p in missing if f"did you mean '{p}'?" not in strays.values()]
        if missing:
            self.problem("reference", f"{name} needs {', '.join(missing)}", path, where,
                         help=f"give it a value: {missing[0]}: …")  # fmt: skip
        return len(self.owner.problems) == known

    def translate(
        self, module: Module, block: Block, arguments: dict[str, Any], trees: dict[str, ast.expr], inputs: list[Any]
    ) -> Value:
        """A block's output shape in the names of the block around it."""
        names: dict[str, ast.expr] = {}
        taken = block.params.keys() | block.let.keys()
        for (input_name, inner), (_, outer) in zip(zip(block.inputs, module.inputs, strict=True), inputs, strict=True):
            if isinstance(named_size(inner), Dim):
                names[input_symbol(input_name, inner, taken)] = tree_of(named_size(outer))
        for name in block.params:
            value = arguments.get(name, module.arguments[name])
            given = trees.get(name)
            if given is not None:
                names[name] = self.unrolled(given)
            elif name in module.defaults:
                names[name] = substitute(module.defaults[name], names)
            else:
                names[name] = tree_of(int_of(value))
        for name, tree in module.let_trees.items():
            names[name] = substitute(tree, names)
        return _map_dims(module.output, lambda dim: _outer(dim, names))

    def make_seq(
        self, item: Item, items: list[Item], inputs: list[tuple[Ref, Value | None]], path: Path,
        position: Position, where: str,
    ) -> tuple[Module, Value, dict[str, ast.expr]] | None:  # fmt: skip
        if len(inputs) != 1:
            self.problem("reference", f"a seq takes 1 value, and gets {len(inputs)}", _taken(item, path), where,
                         help="join them first, with add or cat")  # fmt: skip
            return None
        if inputs[0][1] is None:
            return None
        module = self.line(items, inputs[0][1], (*path, "seq"), position, where)
        return None if module is None else (module, module.output, {})

    @abstractmethod
    def line(self, items: list[Item], value: Value, path: Path, position: Position, where: str) -> Module | None:
        """The items of a seq as a module of their own, which sees the same names."""

    def make_call(
        self, item: Item, inputs: list[tuple[Ref, Value | None]], path: Path, where: str
    ) -> tuple[int, Value, dict[str, ast.expr]] | None:
        assert item.call is not None
        name = self.filled(item.call, path)
        if name is None or (name not in self.modules and self.gaps):
            return None
        if name not in self.modules:
            self.problem("reference", f"there is no module '{name}' before this", (*path, "call"), where,
                         help=nearest(name, self.modules))  # fmt: skip
            return None
        number = self.modules[name]
        if number == FAILED:
            return None
        self.runs = number
        output = self.call_output(self.steps[number], inputs, path, where)
        return None if output is None else (number, output, {})

    def call_output(self, step: Step, inputs: list[tuple[Ref, Value | None]], path: Path, where: str) -> Value | None:
        """What a module yields when it runs again; its parameters must fit the new input."""
        target, before = step.target, [self.value(ref) for ref in step.inputs]
        if isinstance(target, Op) and self.check_inputs(target, inputs, path, where):
            now: list[Shape] = [value for _, value in inputs]  # type: ignore[misc]
            output = self.infer(target, inputs, path, where)
            if output is None or target.constructor(*now) == target.constructor(*before):  # type: ignore[arg-type]
                return output
        elif isinstance(target, Module) and [value for _, value in inputs] == before:
            return step.output
        if all(value is not None for _, value in inputs):
            shapes = [" and ".join(map(format_shape, values)) for values in (before, [value for _, value in inputs])]
            message = f"{step.name} was made for {shapes[0]}, and gets {shapes[1]}"
            help = "a shared module takes one shape; declare another module here"
            self.problem("shape", message, path, where, help=help, edges=self.edges(inputs))
        return None


def require_short(value: Value) -> None:
    """Raise `TooLong` if the expressions of a value's sizes are too long for source code."""
    for size in value:
        if isinstance(size, tuple):
            require_short(size)
        elif isinstance(size, Dim) and is_long(size.tree):
            raise TooLong


def _taken(item: Item, path: Path) -> Path:
    """Where an item says what it takes, if it does."""
    return path if item.from_ is None else (*path, "from")


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"


def _outer(dim: Dim, names: dict[str, ast.expr]) -> Dim:
    """A size in the names of the block around; a number where it has none."""
    tree = substitute(dim.tree, names)
    return Dim(int(dim), tree if names_in(tree) else ast.Constant(int(dim)))


def _map_dims(value: Value, change: Callable[[Dim], int]) -> Value:
    parts = (
        _map_dims(part, change) if isinstance(part, tuple) else change(part) if isinstance(part, Dim) else part
        for part in value
    )
    return type(value)(parts)  # type: ignore[arg-type]


def _symbolic(op: Op, arguments: dict[str, Any]) -> Op:
    """An op with the numbers that carry expressions in place of plain ones."""
    dims: dict[str, Any] = {name: value for name, value in arguments.items() if isinstance(value, Dim)}
    for name, value in arguments.items():
        if isinstance(value, list) and any(isinstance(element, Dim) for element in value):
            dims[name] = type(getattr(op, name))(value)
    return op.model_copy(update=dims) if dims else op
