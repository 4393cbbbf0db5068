"""The signatures of constructors and of the factory."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from archspec.backends.python.classes.calls import as_tuple, op_class
from archspec.backends.python.formatter import Bracketed, lay_out
from archspec.backends.python.instances.variants import ConstructorArgument, Variant
from archspec.expressions.printer import text_of
from archspec.expressions.sizes import tree_of
from archspec.ops import Ops


def constructor_signature(variant: Variant) -> list[str]:
    """The lines of `def __init__(self, …) -> None:`, as they stand in a class."""
    return _signature("__init__", "None", variant, variant.op_names)


def factory_signature(name: str, root: Variant) -> list[str]:
    """The lines of `def resnet50(…) -> ResNet:`."""
    return _signature(name, root.class_name, root)


def _signature(
    name: str, returns: str, variant: Variant, op_names: Set[str] | None = None
) -> list[str]:  # fmt: skip
    method = op_names is not None
    arguments = ["self"] if method else []
    for parameter in variant.parameters:
        arguments.append(_argument(parameter, variant.ops if parameter.name in (op_names or ()) else None))
    code, indent, suffix = Bracketed(f"def {name}", tuple(arguments)), 4 if method else 0, f" -> {returns}:"
    lines = lay_out(code, indent, suffix=suffix)
    alone = len(arguments) == 1 and len(lines) > 1  # the formatter adds a comma after it
    return lay_out(replace(code, explode=True), indent, suffix=suffix) if alone else lines


def _argument(parameter: ConstructorArgument, ops: Ops | None) -> str:
    """An argument with its type and default; one that is an op is a class, which `ops` know."""
    if parameter.default is ...:
        default = ""
    else:
        tree = as_tuple(tree_of(parameter.default)) if ops is None else op_class(parameter.default, ops)
        default = f" = {text_of(tree)}"
    return f"{parameter.name}: {parameter.annotation if ops is None else 'Callable[..., nn.Module]'}{default}"
