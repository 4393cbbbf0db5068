"""Expressions in a scope: parameters, `let` names, loop indices, and the shapes of values.

For analysis a scope holds plain numbers. For code generation it holds `Dim`s, which carry the expression they were
computed by; both give the same numbers, since a `Dim` is an int.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from archspec.diagnostics.budget import CHARACTERS, spend
from archspec.expressions.errors import ExpressionError
from archspec.expressions.evaluate import evaluate as value_of
from archspec.expressions.evaluate import value_key
from archspec.expressions.parse import Expression, is_expression, parse
from archspec.expressions.rewrite import rebuild
from archspec.expressions.sizes import Dim, int_of, is_whole, tree_of
from archspec.ops.shapes import Shape, Unbatched, Value, format_shape, is_parts
from archspec.passes.unknown import UNKNOWN, DependsOnUnknown, Unknown


class ShapeView:
    """A value of the network as expressions see it: `conv1.channels`, `.height`, `.width`, `.features`, …"""

    __slots__ = ("value",)

    def __init__(self, value: Value | Unknown) -> None:
        self.value = value

    def _known(self) -> Value:
        if self.value is UNKNOWN:
            raise DependsOnUnknown
        return self.value

    def _sizes(self, ranks: tuple[int, ...], what: str) -> Shape:
        value = self._known()
        if len(value) not in ranks or isinstance(value[0], tuple):
            raise ExpressionError(f"{format_shape(value)} has no {what}")
        return value

    @property
    def channels(self) -> int:
        """Channels of a feature map, or of a value with one axis or three."""
        return self._sizes((2, 3, 4), "channels")[0]

    @property
    def depth(self) -> int:
        """Frames of a clip, slices of a volume."""
        return self._sizes((4,), "depth")[1]

    @property
    def height(self) -> int:
        """Rows of a feature map, or of each frame of a clip."""
        return self._sizes((3, 4), "height")[-2]

    @property
    def width(self) -> int:
        """Columns of a feature map, or of each frame of a clip."""
        return self._sizes((3, 4), "width")[-1]

    @property
    def features(self) -> int:
        """Features of a vector, or of each token."""
        return self._sizes((1, 2), "features")[-1]

    @property
    def length(self) -> int:
        """Number of tokens."""
        return self._sizes((2,), "length")[0]

    def size(self, dim: object) -> int:
        """The size of a dimension, numbered as in torch: 0 is the batch, if there is one."""
        value = self._known()
        if is_parts(value):
            help = "give the number of a part: halves[0].shape[1]"
            raise ExpressionError(f"{format_shape(value)} has no shape of its own", ".shape", help)
        rank = len(value) + (not isinstance(value, Unbatched))
        if not isinstance(dim, int) or not -rank <= dim < rank:
            message = f"{format_shape(value)} has dimensions 0 to {rank - 1}, the batch included, got {dim!r}"
            raise ExpressionError(message, ".shape")
        place = dim % rank - (rank - len(value))
        if place < 0:
            message = "dimension 0 is the batch, whose size is not fixed"
            raise ExpressionError(message, ".shape", "the first size of a sample is .shape[1]")
        return value[place]  # type: ignore[return-value]

    def part(self, number: int) -> ShapeView:
        """One of several values."""
        value = self._known()
        if not isinstance(value[0], tuple):
            raise ExpressionError(f"{format_shape(value)} is a single tensor: it has no part {number}")
        if number >= len(value):
            raise ExpressionError(f"there are only {len(value)} parts, numbered from 0, got {number}")
        return ShapeView(value[number])

    @property
    def parts(self) -> int:
        """Number of tensors; 1 for a single one."""
        value = self._known()
        return len(value) if isinstance(value[0], tuple) else 1


class ListView(ShapeView):
    """A list of values as expressions see it: `rest.parts`, `rest[0].channels`."""

    __slots__ = ()

    @property
    def parts(self) -> int:
        """Number of values."""
        return len(self._known())


Scope = dict[str, Any]


def bind_value(scope: Scope, name: str, value: Value | Unknown) -> None:
    """Make a value's shape readable under `name`."""
    scope[value_key(name)] = ShapeView(value)


def bind_list(scope: Scope, name: str, values: Sequence[Value]) -> None:
    """Make the number of values in a list readable under its name."""
    scope[value_key(name)] = ListView(tuple(values))  # type: ignore[arg-type]


def evaluate(given: Any, scope: Scope) -> Any:
    """A value of the spec with its expressions evaluated, also inside lists; literals are unchanged."""
    if is_expression(given):
        return parse(given).evaluate(scope)
    if isinstance(given, list):
        return [evaluate(element, scope) for element in given]
    return given


def symbolic(given: Any, scope: Scope) -> tuple[Any, ast.expr | None]:
    """Like `evaluate`, but also returns the expression; integers become `Dim`s. Literals have no expression."""
    value = evaluate(given, scope)
    if is_expression(given):
        parsed = parse(given)
        tree = resolve(parsed, scope)
        return (Dim(int(value), tree) if is_whole(value) else value), tree
    if isinstance(given, list) and any(is_expression(element) for element in given):
        return value, ast.List([symbolic(e, scope)[1] or ast.Constant(e) for e in given], ast.Load())
    return value, None


def resolve(parsed: Expression, scope: Scope) -> ast.expr:
    """An expression with the sizes it reads replaced by the expressions they came from."""
    return _resolve(parsed.tree, scope) if parsed.reads_shapes else parsed.tree


def _resolve(tree: ast.expr, scope: Scope) -> ast.expr:
    """`tree` with `conv1.channels` replaced by the expression of that size."""
    if isinstance(tree, ast.Attribute):
        return tree_of(value_of(tree, scope))
    if isinstance(tree, ast.Subscript) and isinstance(tree.value, ast.Attribute) and tree.value.attr == "shape":
        return tree_of(value_of(tree, scope))
    return rebuild(tree, lambda child: _resolve(child, scope))


@lru_cache(maxsize=4096)
def _template(text: str) -> tuple[str | Expression, ...]:
    parts = re.split(r"\{([^{}]*)\}", text)
    return tuple(parse(part) if i % 2 else part for i, part in enumerate(parts))


def fill(text: str, scope: Scope) -> str:
    """A name with its `{expression}` parts filled in: `denselayer{i + 1}`."""
    if "{" not in text:
        return text
    filled = "".join(part if isinstance(part, str) else str(_label(part.evaluate(scope))) for part in _template(text))
    spend(1 + len(filled) // CHARACTERS)
    return filled


def _label(value: object) -> object:
    if isinstance(value, str):
        return value
    if not is_whole(value):
        raise ExpressionError(f"expected an integer or text as part of a name, got {value!r}")
    return int_of(value)
