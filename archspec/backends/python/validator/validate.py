"""Translation validation: a generated file is read back, and must describe the same network as the graph.

    text ─file─▶ modules and data-flow ─comparison─▶ equal to the graph's, or a `ValidationError`

The text's syntax tree is evaluated symbolically, never executed, and none of it shares code with what wrote the text.
The network is compared both as it is and with other values for the arguments of its class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from archspec.backends.python.validator.comparison import Comparison
from archspec.backends.python.validator.file import File
from archspec.backends.python.validator.helpers import helpers_of
from archspec.backends.python.validator.lines import Places
from archspec.backends.python.validator.values import Name
from archspec.diagnostics.diagnostic import SpecError, ValidationError
from archspec.ir.graph import Graph
from archspec.ops import Ops

Recompile = Callable[[Mapping[str, Any]], Graph]
"""The graph of the same network with other values of some of its parameters; raises `SpecError` if there is none."""

_UNREADABLE: Final = (
    SyntaxError, RecursionError, AttributeError, TypeError, ValueError, LookupError, ArithmeticError, AssertionError,
)  # fmt: skip
"""The exceptions that evaluating a malformed text may raise."""

_TRIED: Final = 3
"""Ways to change all arguments together, before each is changed alone."""


def validate(text: str, graph: Graph, recompile: Recompile) -> Places:
    """Check that a generated file describes the network, for the current values of its arguments and for others.

    Returns where the file makes and runs the steps of the graph's modules. Raises `ValidationError` with the place
    where file and graph differ, or where the file has unsupported code.

    >>> import archspec
    >>> graph, text = archspec.compile("lenet"), archspec.codegen("lenet")
    >>> try:
    ...     validate(text.replace("120, 84", "120, 85"), graph, lambda changed: graph)
    ... except ValidationError as error:
    ...     print(error)
    error[internal]: lenet.py:25: fc2: the file says out_features=85, the network out_features=84
    """
    try:
        file = File(text, f"{graph.name}.py", helpers_of(graph))
        comparison = Comparison(file)
        places = comparison.network(graph, {})
        for changed, other in _others(file, graph, recompile):
            comparison.network(other, changed)
    except _UNREADABLE as error:
        raise ValidationError(f"{graph.name}.py", 0, "", f"cannot be read: {error!r}") from error
    return places


def _others(file: File, graph: Graph, recompile: Recompile) -> Iterator[tuple[dict[str, Any], Graph]]:
    """Other values of the file's arguments, with their graphs: for all at once, or for each alone."""
    offered = {name: list(_other(value)) for name, value in file.definitions.classes[graph.class_name].defaults.items()}
    offered = {name: values for name, values in offered.items() if values}
    for attempt in range(_TRIED if offered else 0):
        changed = {name: values[min(attempt, len(values) - 1)] for name, values in offered.items()}
        found = _recompiled(recompile, changed, graph.ops)
        if found is not None:
            yield changed, found
            return
    for name, values in offered.items() if len(offered) > 1 else ():
        for value in values:
            found = _recompiled(recompile, {name: value}, graph.ops)
            if found is not None:
                yield {name: value}, found
                break


def _recompiled(recompile: Recompile, changed: Mapping[str, Any], ops: Ops) -> Graph | None:
    try:
        return recompile({name: _for_spec(value, ops) for name, value in changed.items()})
    except SpecError:
        return None


def _for_spec(value: Any, ops: Ops) -> Any:
    """A value as it is in a spec: an op's name for its class, a list for a tuple."""
    if isinstance(value, Name):
        return next(kind for kind, op in ops.items() if op.module == value.path)
    return [_for_spec(part, ops) for part in value] if isinstance(value, list | tuple) else value


def _other(value: Any) -> Iterator[Any]:
    """Other values that an argument might take, the likeliest first."""
    if isinstance(value, Name):
        yield from (Name(path) for path in ("nn.Hardswish", "nn.ReLU") if path != value.path)
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value * 3 if value else 1, value * 2, value + 8, value + 1, value + 2)  # kernels stay odd
    elif isinstance(value, float):
        yield from (value / 2 if value else 0.125, value + 0.125)
    elif isinstance(value, tuple) and value:
        parts = [list(_other(part)) for part in value]
        if all(parts):
            yield from (tuple(options) for options in zip(*parts, strict=False))
