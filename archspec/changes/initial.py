"""How the parameters of a module are initialised by its rules and those inside it, however these are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from archspec.diagnostics.budget import spend
from archspec.expressions.parse import is_expression, parse
from archspec.ir.definition import Initialisation
from archspec.ir.module import Module
from archspec.ops.base import Op
from archspec.ops.distributions import Distribution, distribution
from archspec.ops.initialisers import parse_initialiser
from archspec.ops.shapes import Shape

Rules = Sequence[tuple[str, Sequence[Initialisation]]]
"""The rules of the modules around a layer, from inside out, each with the name of the layer in that module."""

_OF_NORMS: Final[dict[str, Distribution]] = {"weight": ("constant", (1.0,)), "bias": ("constant", (0.0,))}
"""What torch fills the parameters of its normalisations with."""


def initialised_alike(left: Module, right: Module) -> bool:
    """Whether the initial weights of the layers of two modules that have one name are from the same distributions."""
    ours, theirs = dict(_initialised(left, (), "")), dict(_initialised(right, (), ""))
    return all(ours[name] == theirs[name] for name in ours.keys() & theirs.keys())


def _initialised(module: Module, around: Rules, prefix: str) -> Iterator[tuple[str, Any]]:
    """The name of each layer, and the distributions of its parameters that are not torch's defaults."""
    inside: Rules = [("", module.init), *around]
    for step in module.registered:
        rules = [(f"{name}.{step.name}".lstrip("."), own) for name, own in inside]
        name = f"{prefix}{step.name}"
        if isinstance(step.target, Module):
            yield from _initialised(step.target, rules, f"{name}.")
        else:
            yield from ((f"{name}{inner}", _drawn(op, shapes, rules, inner))
                        for inner, op, shapes in module.leaf(step))  # fmt: skip


def _drawn(op: Op, shapes: tuple[Shape, ...], rules: Rules, inner: str) -> dict[str, Distribution]:
    """The distribution of each parameter of a layer that a rule fills, the outermost last."""
    found: dict[str, Distribution] = {}
    for name, own in rules:
        spend(1 + len(own))
        rule = next((rule for rule in own if rule.matches(f"{name}{inner}", op)), None)
        for parameter, shape in op.parameters(*shapes).items() if rule else ():
            if rule and parameter in rule.parameters:
                found[parameter] = _filled(rule.parameters[parameter], op, shapes, shape)
    usual = _OF_NORMS if op.role == "norm" and str(op.module).startswith("nn.") else {}
    return {name: way for name, way in found.items() if way != usual.get(name)}


def _filled(given: Any, op: Op, shapes: tuple[Shape, ...], shape: Shape) -> Distribution:
    name, arguments = parse_initialiser(given)
    numbers = {key: _number(value, op, shapes) for key, value in arguments.items()}
    return distribution(name, numbers, tuple(map(int, shape)))


def _number(given: Any, op: Op, shapes: tuple[Shape, ...]) -> Any:
    """The value of an argument, which may be an expression over the attributes of the layer's module."""
    return parse(given).evaluate(op.attribute_values(*shapes)) if is_expression(given) else given
