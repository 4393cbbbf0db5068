"""The signatures of constructors and of the factory."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace

from archspec.backends.python.classes.calls import as_tuple, op_class
from archspec.backends.python.formatter import Bracketed, lay_out
from archspec.backends.python.instances.variants import ConstructorArgument, Variant
from archspec.expressions.printer import text_of
from archspec.expressions.sizes import tree_of


def constructor_signature(variant: Variant) -> list[str]:
    """The lines of `def __init__(self, …) -> None:`, as they stand in a class."""
    return _signature("__init__", "None", variant.parameters, True, variant.op_names)


def factory_signature(name: str, root: Variant) -> list[str]:
    """The lines of `def resnet50(…) -> ResNet:`."""
    return _signature(name, root.class_name, root.parameters, False)


def _signature(
    name: str, returns: str, parameters: Sequence[ConstructorArgument], method: bool, op_names: Set[str] = frozenset()
) -> list[str]:
    arguments = ["self"] if method else []
    for parameter in parameters:
        arguments.append(_argument(parameter, parameter.name in op_names))
    code, indent, suffix = Bracketed(f"def {name}", tuple(arguments)), 4 if method else 0, f" -> {returns}:"
    lines = lay_out(code, indent, suffix=suffix)
    alone = len(arguments) == 1 and len(lines) > 1  # the formatter adds a comma after it
    return lay_out(replace(code, explode=True), indent, suffix=suffix) if alone else lines


def _argument(parameter: ConstructorArgument, is_op: bool) -> str:
    if parameter.default is ...:
        default = ""
    else:
        default = f" = {text_of(op_class(parameter.default) if is_op else as_tuple(tree_of(parameter.default)))}"
    return f"{parameter.name}: {'Callable[..., nn.Module]' if is_op else parameter.annotation}{default}"
