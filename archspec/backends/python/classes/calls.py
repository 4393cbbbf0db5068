"""The constructor calls of modules: an op, a block, a parameter, and the arguments of each."""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any, Final

from archspec.backends.python.formatter import Bracketed, Code, KeywordArgument
from archspec.backends.python.instances.anti_unification import AntiUnifier, NoCommonForm, Seen, plain_value, same_value
from archspec.backends.python.instances.sites import NotMergeable, Occurrence
from archspec.backends.python.instances.variants import ConstructorArgument, Variant, bindings
from archspec.expressions.simplify import value_of
from archspec.expressions.sizes import is_whole, tree_of
from archspec.ir.module import Module
from archspec.ops import Ops
from archspec.ops.base import Op
from archspec.ops.call import Argument
from archspec.ops.chosen import ChosenOp
from archspec.ops.initialisers import INITIALISERS

_OF_SIZES: Final = ("torch.zeros", "torch.ones", "Tensor.reshape")
"""Functions whose sizes are written as separate arguments."""


class ConstructorCalls:
    """Writes constructor calls with arguments that are correct for all instances."""

    def __init__(self, unifier: AntiUnifier) -> None:
        self.unifier = unifier
        self.variant = unifier.variant
        self.flattened: tuple[int, ...] | None = None
        """The shape before the flatten that precedes the current item: `512 * 7 * 7` is clearer than 25088."""

    def op_call(self, occurrences: Sequence[Occurrence], hint: str, strict: bool) -> Bracketed:
        """The call of an op's module; arguments that are torch's defaults are left out."""
        op = occurrences[0].step.target
        assert isinstance(op, Op)
        if any(type(o.step.target) is not type(op) for o in occurrences) or self.is_argument(occurrences[0]):
            return self.chosen_op(occurrences)
        if op.tensor() is not None:
            return self.buffer(occurrences, hint, strict)
        if op.raw:
            return self.raw_parameter(occurrences, hint, strict)
        made_by = op.made_by()
        if made_by is None or len({_op(o).made_by() for o in occurrences}) > 1:
            raise NoCommonForm
        tables = [{a.name: a for a in _arguments(o)} for o in occurrences]
        arguments: list[Code] = []
        for name, example in tables[0].items():
            seen = [_seen(o, table[name]) for o, table in zip(occurrences, tables, strict=True)]
            if all(a[name].value == a[name].default and name not in o.step.trees
                   for o, a in zip(occurrences, tables, strict=True)):  # fmt: skip
                continue
            tree = as_tuple(self.unifier.value(seen, f"{hint}_{name}", strict))
            if not example.positional and isinstance(tree, ast.Constant) and tree.value == example.default:
                continue
            tree = self.features(tree) if name == "in_features" else tree
            arguments.append(tree if example.positional else KeywordArgument(name, tree))
        if in_place(occurrences):
            arguments.append(KeywordArgument("inplace", "True"))
        return Bracketed(made_by, tuple(arguments))

    def is_argument(self, occurrence: Occurrence) -> bool:
        """Whether an op is a varying argument, even if it is the same in all instances that have the item."""
        tree = occurrence.step.trees.get("op")
        tree = None if tree is None else self.unifier.simplified(tree)
        return isinstance(tree, ast.Name) and tree.id in self.variant.kept

    def chosen_op(self, occurrences: Sequence[Occurrence]) -> Bracketed:
        """An op that is an argument of the block, such as the activation: the argument is its class."""
        seen: list[Seen] = []
        for occurrence in occurrences:
            op, tree = occurrence.step.target, occurrence.step.trees.get("op")
            assert isinstance(op, Op)
            chosen = None if tree is None else value_of(tree, occurrence.names)
            given = chosen.fields if isinstance(chosen, ChosenOp) else {}
            if tree is None or any(a.value != a.default and a.name not in given for a in _arguments(occurrence)):
                raise NoCommonForm
            seen.append((occurrence, chosen, tree))
        tree = self.unifier.common(seen)
        if not isinstance(tree, ast.Name):
            raise NoCommonForm
        self._add_op_name(tree.id)
        return Bracketed(tree.id, (KeywordArgument("inplace", "True"),) if in_place(occurrences) else ())

    def raw_parameter(self, occurrences: Sequence[Occurrence], hint: str, strict: bool) -> Bracketed:
        """A parameter of the block itself."""
        ways = {_raw(o).filling()[0] for o in occurrences}
        if len(ways) > 1:
            raise NoCommonForm
        shape = as_tuple(self.unifier.value([_seen_shape(o) for o in occurrences], f"{hint}_shape", strict))
        return Bracketed("nn.Parameter", (self.filled(occurrences, ways.pop(), shape, hint, strict),))

    def filled(
        self, occurrences: Sequence[Occurrence], way: str, shape: ast.expr, hint: str, strict: bool
    ) -> Bracketed:  # fmt: skip
        """A new tensor with its initial values."""
        known, sizes = INITIALISERS[way], _sizes(shape)
        arguments: dict[str, ast.expr] = {}
        for name in (*known.required, *known.defaults):
            seen = [_seen_argument(o, name, known.defaults.get(name)) for o in occurrences]
            tree = self.unifier.value(seen, f"{hint}_{'value' if name == 'val' else name}", strict)
            if not (isinstance(tree, ast.Constant) and same_value(tree.value, known.defaults.get(name, ...))):
                arguments[name] = tree
        if way in ("zeros", "ones") or (way == "constant" and _is_zero_or_one(arguments["val"])):
            is_zero = way == "zeros" or (way == "constant" and not arguments["val"].value)  # type: ignore[attr-defined]
            return Bracketed("torch.zeros" if is_zero else "torch.ones", sizes)
        if way == "constant":
            return Bracketed("torch.full", (shape, _as_float(arguments["val"])))
        given = [KeywordArgument(name, tree) for name, tree in arguments.items()]
        return Bracketed(known.function, (Bracketed("torch.empty", sizes), *given))

    def buffer(self, occurrences: Sequence[Occurrence], hint: str, strict: bool) -> Bracketed:
        """A buffer of the block itself."""
        saved = {bool(_op(o).saved()) for o in occurrences}
        if len(saved) > 1:
            raise NoCommonForm
        made = self._computed(occurrences, [_op(o).tensor() for o in occurrences], hint, strict)
        return Bracketed("nn.Buffer", (made, *([] if saved.pop() else [KeywordArgument("persistent", "False")])))

    def _computed(self, occurrences: Sequence[Occurrence], calls: Sequence[Any], hint: str, strict: bool) -> Bracketed:
        """The call that makes a tensor; its arguments may be such calls, too."""
        target, given = calls[0].target, [call.args for call in calls]
        if any(call.target != target or len(call.args) != len(given[0]) for call in calls):
            raise NoCommonForm
        arguments: list[Code] = []
        for parts in zip(*given, strict=True):
            if isinstance(parts[0], Argument):
                seen = [_seen_sizes(o, part) for o, part in zip(occurrences, parts, strict=True)]
                arguments.append(as_tuple(self.unifier.value(seen, f"{hint}_{parts[0].name}", strict)))
            else:
                arguments.append(self._computed(occurrences, parts, hint, strict))
        are_sizes = target in _OF_SIZES
        if target == "torch.tensor" and isinstance(arguments[0], ast.Tuple):
            arguments = [ast.List(arguments[0].elts, ast.Load())]
        made: Code | None = None
        if target.startswith("Tensor."):
            made, method = arguments.pop(0), target.removeprefix("Tensor.")
            if not arguments and isinstance(made, Bracketed):
                return replace(made, suffix=f"{made.suffix}.{method}()")
            target = method
        if are_sizes:
            arguments = list(_sizes(arguments[0]))
        return Bracketed(target, tuple(arguments), on=made)

    def features(self, tree: ast.expr) -> ast.expr:
        """A number of features as channels × height × width, if it comes from a flattened feature map."""
        shape = self.flattened
        if shape is None or not isinstance(tree, ast.Constant) or tree.value != math.prod(shape):
            return tree
        self.flattened = None
        sizes = [tree_of(size) for size in shape]
        return ast.BinOp(ast.BinOp(sizes[0], ast.Mult(), sizes[1]), ast.Mult(), sizes[2])

    def block_call(self, occurrences: Sequence[Occurrence], hint: str, strict: bool) -> Bracketed:
        """The call of a block's class."""
        used = {id(self.callee(o)): self.callee(o) for o in occurrences}
        if len(used) != 1:  # the block's instances are written as several classes
            raise NoCommonForm
        (callee,) = used.values()
        arguments: list[Code] = []
        positional = _positional(callee.parameters)
        uses = [_use(o, callee) for o in occurrences]
        for parameter in callee.parameters:
            seen = [_bound(use, parameter) for use in uses]
            is_let = parameter.name in callee.body.lets and parameter.name not in self.variant.own_names
            name = parameter.name if is_let else f"{hint}_{parameter.name}"
            tree = as_tuple(self.unifier.value(seen, name, strict))
            if isinstance(tree, ast.Constant) and same_value(tree.value, parameter.default):
                continue
            if parameter.name in callee.op_names:
                tree = self.op_class(tree)
            arguments.append(tree if parameter in positional else KeywordArgument(parameter.name, tree))
        return Bracketed(callee.class_name, tuple(arguments))

    def op_class(self, tree: ast.expr) -> ast.expr:
        """An argument that is an op: torch's class for it, or this block's own argument passed on."""
        if isinstance(tree, ast.Constant):
            return op_class(tree.value, self.variant.ops)
        if not isinstance(tree, ast.Name):
            raise NotMergeable("an op that is calculated")
        self._add_op_name(tree.id)
        return tree

    def _add_op_name(self, name: str) -> None:
        """Record that an argument of this block is an op; in an instance without the item it may be anything."""
        for host in self.unifier.hosts:
            if not is_op(host.names[name], self.variant.ops):
                raise NotMergeable(f"{name} is not an op everywhere")
        self.variant.op_names.add(name)

    def callee(self, occurrence: Occurrence) -> Variant:
        """The class that is called."""
        return self.unifier.variants.of[id(occurrence.step.target)]


def _sizes(shape: Code) -> tuple[Code, ...]:
    """The arguments of a function that takes sizes one by one, or all as a tuple, which that of one number must be."""
    return tuple(shape.elts) if isinstance(shape, ast.Tuple) and shape.elts else (shape,)


def _seen_shape(occurrence: Occurrence) -> Seen:
    shape, tree = list(_raw(occurrence).parameters()[""]), occurrence.step.trees.get("shape")
    return occurrence, list(plain_value(shape)), tree_of(shape) if tree is None else tree


def _raw(occurrence: Occurrence) -> Op:
    """The op of a parameter of the block itself."""
    op = occurrence.step.target
    assert isinstance(op, Op)
    return op


def _seen_argument(occurrence: Occurrence, name: str, default: Any) -> Seen:
    """An argument of a raw parameter's initialiser; that of a constant may be the field itself."""
    trees, value = occurrence.step.trees, _raw(occurrence).filling()[1].get(name, default)
    tree = trees.get(f"init.{name}")
    if tree is None and name == "val":
        tree = trees.get("init", trees.get("value"))
    return occurrence, value, tree_of(value) if tree is None else tree


def _is_zero_or_one(tree: ast.expr) -> bool:
    return isinstance(tree, ast.Constant) and tree.value in (0, 1)


def _as_float(tree: ast.expr) -> ast.expr:
    """A number as a float, since torch.full makes integers from an int."""
    if isinstance(tree, ast.Constant) and isinstance(tree.value, int | float):
        return ast.Constant(float(tree.value))
    return ast.Call(ast.Name("float", ast.Load()), [tree], [])


def in_place(occurrences: Sequence[Occurrence]) -> bool:
    """Whether an op runs in place."""
    flags = {step.inplace for _, step in occurrences}
    if len(flags) > 1 and any(s.inplace and isinstance(s.target, Op) and not s.target.exact_in_place
                              for _, s in occurrences):  # fmt: skip
        raise NotMergeable("an activation that runs in place in some instances only")
    return flags == {True}


def _positional(parameters: Sequence[ConstructorArgument]) -> list[ConstructorArgument]:
    """The parameters that are passed by position: all, if none has a default; otherwise two, and further widths."""
    required = [p for p in parameters if p.default is ...]
    if len(required) == len(parameters):
        return required
    widths = takewhile(lambda p: p.name.endswith(("channels", "features")), required[2:])
    return [*required[:2], *widths]


def as_tuple(tree: ast.expr) -> ast.expr:
    """A list as a tuple, nested lists included, which torch expects for sizes."""
    return ast.Tuple([as_tuple(part) for part in tree.elts], ast.Load()) if isinstance(tree, ast.List) else tree


def is_op(value: object, ops: Ops) -> bool:
    """Whether a value is an op: its name, or one with arguments."""
    return isinstance(value, ChosenOp) or (isinstance(value, str) and value in ops)


def op_class(chosen: Any, ops: Ops) -> ast.expr:
    """torch's class for an op, as an expression, with the op's arguments if it has any."""
    if not isinstance(chosen, ChosenOp):
        return ast.parse(str(ops[chosen].module), mode="eval").body
    made = op_class(chosen.kind, ops)
    given = [ast.keyword(name, as_tuple(tree_of(value))) for name, value in chosen.fields.items()]
    return ast.Call(ast.Name("partial", ast.Load()), [made], given) if given else made


def _arguments(occurrence: Occurrence) -> tuple[Argument, ...]:
    host, step = occurrence
    assert isinstance(step.target, Op)
    return step.target.constructor(*host.module.shapes(step))


def _seen_sizes(occurrence: Occurrence, argument: Argument) -> Seen:
    """An argument of the function that makes a tensor; a size given as one number stands for each axis."""
    _, value, tree = _seen(occurrence, argument)
    if isinstance(value, tuple) and is_whole(getattr(_op(occurrence), argument.name)):
        tree = ast.Tuple([tree] * len(value), ast.Load()) if not isinstance(tree, ast.Tuple) else tree
    return occurrence, value, tree


def _op(occurrence: Occurrence) -> Op:
    op = occurrence.step.target
    assert isinstance(op, Op)
    return op


def _seen(occurrence: Occurrence, argument: Argument) -> Seen:
    tree = occurrence.step.trees.get(argument.name)
    value = plain_value(argument.value)
    return occurrence, value, (tree_of(argument.value) if tree is None else tree)


def _use(occurrence: Occurrence, callee: Variant) -> tuple[Occurrence, Module, dict[str, tuple[Any, ast.expr]]]:
    """A use of a block: its instance, and the values and expressions of its names."""
    target = occurrence.step.target
    assert isinstance(target, Module)
    return occurrence, target, bindings(callee, target, occurrence.host.module, occurrence.step)


def _bound(use: tuple[Occurrence, Module, dict[str, tuple[Any, ast.expr]]], parameter: ConstructorArgument) -> Seen:
    """The value and expression that one use of a block passes for a parameter."""
    occurrence, target, bound = use
    value = parameter.values[id(target)]
    return (occurrence, *bound.get(parameter.name, (value, tree_of(value))))
