"""Which value each tensor of a run is, or is a view of."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from torch import Tensor, nn

from archspec.importer.layout import View, whole
from archspec.importer.trace import Value
from archspec.ops.base import Unsupported


class Owned(NamedTuple):
    """A parameter or buffer of a model, by the module that has it and its name there."""

    path: str
    name: str
    is_parameter: bool


class Zeroed(NamedTuple):
    """A copy of a parameter in which the entries from `start` to `stop` are zeros."""

    place: Owned
    start: int
    stop: int


class Tensors:
    """The tensors met so far. They are kept, so that their ids stay their own."""

    def __init__(self, model: nn.Module, batch: int, constants: Collection[Tensor] = ()) -> None:
        self.batch = batch
        self._views: dict[int, View] = {}
        self._versions: dict[int, int] = {}
        self._kept: list[Tensor] = []
        known = set(map(id, constants))
        self._owned = {number: place for number, place in _owned(model).items() if number not in known}
        self.raw: dict[Value, Owned] = {}
        """The values that are parameters or buffers."""
        self._zeroed: dict[int, Zeroed] = {}

    def find(self, tensor: Tensor) -> View | None:
        """What a tensor is; `None` if it depends on no input and no parameter."""
        if id(tensor) in self._views:
            return self._views[id(tensor)]
        owned = self._owned.get(id(tensor))
        if owned is None:
            return None
        value = Value(tuple(tensor.shape), is_batched=False, is_integer=not tensor.is_floating_point())
        self.raw[value] = owned
        self.set(tensor, whole(value))
        return self._views[id(tensor)]

    def view(self, tensor: Tensor) -> View:
        """What a tensor is; raises `Unsupported` if that is not known."""
        found = self.find(tensor)
        if found is None:
            raise Unsupported("it takes a tensor that forward computes from neither inputs nor parameters")
        if self.is_stale(tensor):
            raise Unsupported("it takes a tensor that was changed in place through another view of it")
        return found

    def is_stale(self, tensor: Tensor) -> bool:
        """Whether a tensor was changed since it was noted, which only another view of its memory can have done."""
        return self._versions.get(id(tensor), tensor._version) != tensor._version

    def was_of(self, tensor: Tensor, version: int) -> bool:
        """Whether a tensor was noted when it was of this version."""
        return self._versions.get(id(tensor)) == version

    def refresh(self, tensors: list[Tensor]) -> None:
        """Note that tensors were changed by what is recorded now."""
        self._versions.update({id(tensor): tensor._version for tensor in tensors if id(tensor) in self._versions})

    def set(self, tensor: Tensor, view: View) -> None:
        """Note what a tensor is."""
        self._views[id(tensor)] = view
        self._versions[id(tensor)] = tensor._version
        self._kept.append(tensor)

    def unknown(self, tensor: Tensor) -> None:
        """Note a tensor whose origin cannot be said, so that what follows is looked at, too."""
        is_batched = tensor.ndim > 0 and tensor.shape[0] == self.batch
        self.set(tensor, whole(Value(tuple(tensor.shape[is_batched:]), is_batched)))

    def zero(self, part: Tensor) -> None:
        """Note that zeros were written into a part of a copy of a parameter; raises `Unsupported` if it is none."""
        base = part._base
        view = None if base is None else self._views.get(id(base))
        place = None if view is None or not view.is_whole else self.raw.get(view.value)
        if base is None or place is None or base.ndim != 1 or not part.is_contiguous() or id(base) in self._zeroed:
            raise Unsupported("it changes a part of a tensor")
        start = int(part.storage_offset() - base.storage_offset())
        self._zeroed[id(base)] = Zeroed(place, start, start + part.numel())

    def zeroed(self, tensor: Any) -> Zeroed | None:
        """The parameter that a tensor is a copy of, but for a part that is zeros."""
        return self._zeroed.get(id(tensor))

    def copied(self, tensor: Any) -> Owned | None:
        """The place of a parameter of which a tensor is a copy with zeros."""
        found = self.zeroed(tensor)
        return None if found is None else found.place

    def owned(self, tensor: Any) -> Owned | None:
        """The place of a parameter or buffer."""
        return self._owned.get(id(tensor))


def _owned(model: nn.Module) -> dict[int, Owned]:
    found: dict[int, Owned] = {}
    for path, module in model.named_modules():
        for is_parameter, tensors in ((True, module._parameters), (False, module._buffers)):
            for name, tensor in tensors.items():
                if tensor is not None:
                    found.setdefault(id(tensor), Owned(path, name, is_parameter))
    return found
