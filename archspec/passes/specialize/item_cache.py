"""What items run, built once for all places where everything that they read is the same.

The blocks of a stage often differ in one parameter, which few of their items read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from archspec.expressions.printer import spelling
from archspec.expressions.sizes import Dim, Quotient
from archspec.passes.recovery import UNKNOWN
from archspec.passes.specialize.op_cache import hashable
from archspec.passes.specialize.scope import Scope, ShapeView

if TYPE_CHECKING:
    from archspec.ops.base import Value
    from archspec.passes.specialize.items import Built, Occurrence

_ABSENT: Final = object()


class ItemCache:
    """What the items of one run run, by all that they read."""

    def __init__(self) -> None:
        self._built: dict[Any, Built] = {}

    def key(self, at: Occurrence, scope: Scope, indices: dict[str, int], in_block: bool) -> Any:
        """A key that is equal where the item runs the same.

        `None` if that is nowhere else, or if it depends on more than can be compared.
        """
        item = at.item
        if not in_block and (item.seq is not None or not indices):  # the network's own items are there once
            return None
        names = item.names_read
        if names is None or not at.is_known or not names.isdisjoint(indices):
            return None
        place = () if item.seq is None else (at.position, *indices.items())  # its steps have them
        return id(item), place, *map(_shape, at.shapes), *[_read(scope, name) for name in names]

    def get(self, key: Any) -> Built | None:
        """What was built under a key."""
        return self._built.get(key)

    def keep(self, key: Any, built: Built) -> None:
        """Keep what was built."""
        self._built[key] = built


def _read(scope: Scope, name: str) -> Any:
    """What a name stands for, as part of a key."""
    value = scope.get(name, _ABSENT)
    if isinstance(value, ShapeView):
        return type(value), value.value if value.value is UNKNOWN else _shape(value.value)
    return value if type(value) is Dim else hashable({name: value})


def _shape(value: Value) -> Any:
    """A shape as part of a key: for code generation with the expressions of its sizes."""
    return (type(value), *[_size(size) for size in value])


def _size(size: Any) -> Any:
    if type(size) is int:
        return size
    if isinstance(size, tuple):
        return _shape(size)
    if type(size) is Quotient:
        return int(size), spelling(size.tree), _size(size.dividend), *map(_size, size.factors)
    return (int(size), spelling(size.tree)) if isinstance(size, Dim) else size
