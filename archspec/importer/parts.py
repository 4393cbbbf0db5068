"""Parts of a tensor that are assigned to, or changed in place: the tensor becomes what stands before the part, the part
and what stands behind it, joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from archspec.ops.base import Unsupported

if TYPE_CHECKING:
    from archspec.importer.record import Recording

Slices = tuple[slice, ...]
"""A slice for each dimension, with start and stop from 0 to its size, and a step of 1."""


class Part(NamedTuple):
    """What an index takes of a tensor."""

    whole: Tensor
    slices: Slices


class Parts:
    """The tensors of a recording that are parts of others in memory."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._of: dict[int, Part] = {}

    def note(self, result: Tensor, tensor: Tensor, index: Any) -> None:
        """Note what an index yields."""
        slices = _slices(tensor, index)
        if slices is not None:
            self._of[id(result)] = Part(tensor, slices)

    def changed(self, part: Tensor, version: int) -> None:
        """Note that a tensor, until now of this version, was changed in place: so was the one that it is a part of, if
        nothing else had changed that before."""
        found = self._of.get(id(part))
        tensors = self.recording.tensors
        if found is not None and tensors.was_of(found.whole, version):
            tensors.refresh([found.whole])
            self._assign(found, part)
            self.changed(found.whole, version)

    def assign(self, tensor: Tensor, index: Any, given: Any) -> None:
        """Note that a tensor has the values of another one from now on, at the places of an index, or a number; raises
        `Unsupported` for an index or values that cannot be said."""
        slices = _slices(tensor, index)
        if slices is None:
            raise Unsupported("it changes a part of a tensor at places that are no slices with step 1")
        known = self._of.get(id(given))
        if known is not None and known.whole is tensor and known.slices == slices:
            self.recording.tensors.view(tensor)
            return  # the part was changed in place, and so was the tensor
        (given,), _ = self.recording.calls.with_constants("__setitem__", (given,), {})
        with torch._C.DisableTorchFunction():
            shape = tensor[index].shape
        self._assign(Part(tensor, slices), self._broadcast(given, shape) if isinstance(given, Tensor) else given)

    def _broadcast(self, given: Tensor, shape: torch.Size) -> Tensor:
        """The values for a part of this shape."""
        if given.shape == shape:
            return given
        given = self._reshaped(given, torch.Size((*[1] * (len(shape) - given.ndim), *given.shape)))
        with torch._C.DisableTorchFunction():
            result = given.expand(shape)
        self.recording.call("expand", (given, shape), {}, result)
        return result

    def _reshaped(self, tensor: Tensor, shape: torch.Size) -> Tensor:
        view = self.recording.tensors.view(tensor)
        with torch._C.DisableTorchFunction():
            result = tensor.detach().reshape(shape)
        if result.shape == tensor.shape:
            self.recording.tensors.set(result, view)
        else:
            self.recording.call("reshape", (tensor, shape), {}, result)
        return result

    def _assign(self, part: Part, given: Tensor | float) -> None:
        tensors = self.recording.tensors
        with torch._C.DisableTorchFunction():
            shape = part.whole[part.slices].shape  # with the dimensions that integers of an index leave out
        inside = self._reshaped(given, shape) if isinstance(given, Tensor) else given
        around = self._filled_with(part.whole)
        if around is None:
            joined = self._joined(part.whole, part.slices, inside)
        elif isinstance(inside, Tensor):
            joined = self._padded(inside, part, around)
        else:
            raise Unsupported("it changes a part of a constant")
        tensors.set(part.whole, tensors.view(joined))

    def _filled_with(self, tensor: Tensor) -> float | None:
        """The number that all of a constant is, zero for one without certain numbers; `None` if it is no constant.
        Raises `Unsupported` for a constant of several numbers."""
        if self.recording.tensors.find(tensor) is not None:
            return None
        numbers = self.recording.constants.numbers(tensor)
        if numbers is None:
            if not self.recording.constants.was_blank(tensor):
                raise Unsupported("it changes a part of a tensor whose numbers are random, or not known")
            return 0
        first: float = numbers.flatten()[0].item()
        if not bool((numbers == first).all()):
            raise Unsupported("it changes a part of a constant")
        return first

    def _padded(self, inside: Tensor, part: Part, around: float) -> Tensor:
        """A tensor that is one number, but at the places of a part."""
        last_first = reversed([*zip(part.slices, part.whole.shape, strict=True)])
        sides = [side for taken, size in last_first for side in (taken.start, size - taken.stop)]
        while sides[-2:] == [0, 0]:
            del sides[-2:]
        return self._pad(inside, sides, around) if sides else inside

    def _joined(self, tensor: Tensor, slices: Slices, inside: Tensor | float) -> Tensor:
        """The tensor with `inside` at the places of the slices."""
        partly = [dim for dim, part in enumerate(slices) if part != slice(0, tensor.shape[dim], 1)]
        if not partly:
            if not isinstance(inside, Tensor):
                raise Unsupported("it changes all of a tensor to a number")
            return inside
        dim = partly[0]
        start, stop = slices[dim].start, slices[dim].stop
        if len(partly) > 1:
            row = self._sliced(tensor, dim, start, stop)
            inside = self._joined(row, (*slices[:dim], slice(0, stop - start, 1), *slices[dim + 1 :]), inside)
        before = [self._sliced(tensor, dim, 0, start)] if start else []
        behind = [self._sliced(tensor, dim, stop, tensor.shape[dim])] if stop < tensor.shape[dim] else []
        if isinstance(inside, Tensor):
            return self._cat([*before, inside, *behind], dim)
        rest = [0] * 2 * (tensor.ndim - 1 - dim)
        if before:
            return self._cat([self._pad(before[0], [*rest, 0, stop - start], inside), *behind], dim)
        return self._pad(behind[0], [*rest, stop - start, 0], inside)

    def _cat(self, pieces: list[Tensor], dim: int) -> Tensor:
        if len(pieces) == 1:
            return pieces[0]
        with torch._C.DisableTorchFunction():
            result = torch.cat(pieces, dim)
        self.recording.call("cat", (pieces, dim), {}, result)
        return result

    def _pad(self, tensor: Tensor, sides: list[int], value: float) -> Tensor:
        with torch._C.DisableTorchFunction():
            result = functional.pad(tensor, sides, value=value)
        self.recording.call("pad", (tensor, sides), {"value": value} if value else {}, result)
        return result

    def _sliced(self, tensor: Tensor, dim: int, start: int, stop: int) -> Tensor:
        with torch._C.DisableTorchFunction():
            result = tensor.narrow(dim, start, stop - start).clone()
        self.recording.call("__getitem__", (tensor, (*(slice(None),) * dim, slice(start, stop))), {}, result)
        return result


def _slices(tensor: Tensor, index: Any) -> Slices | None:
    """The slices that an index stands for, an integer for one of length 1; `None` for another kind of index."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if any(not (part is Ellipsis or type(part) in (int, slice)) for part in parts):
        return None
    rest = [slice(None)] * (tensor.ndim - len(parts) + (Ellipsis in parts))
    at = parts.index(Ellipsis) if Ellipsis in parts else len(parts)
    parts[at : at + 1] = rest
    found = []
    for part, size in zip(parts, tensor.shape, strict=True):
        start, stop, step = part.indices(size) if isinstance(part, slice) else (part % size, part % size + 1, 1)
        if step != 1 or stop <= start:
            return None
        found.append(slice(start, stop, 1))
    return tuple(found)
