"""Tensors as an op takes them, where these are not the values that they stand for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from archspec.importer.layout import BATCH, arranged, reordered, without_one_window
from archspec.importer.tensors import Tensors


class Operands:
    """Finds and notes other forms of the operands of one recording."""

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = tensors

    def is_transposed(self, tensor: Tensor) -> bool:
        """Whether a tensor is a value with its last two dimensions changed."""
        view = self.tensors.view(tensor)
        last = tensor.ndim - 1
        swapped = reordered(view, [*range(last - 1), last, last - 1]) if last > 0 else view
        return arranged(view)[0] != view.source and arranged(swapped)[0] == view.source

    def reduces_in_front(self, dim: Any, tensor: Tensor) -> bool:
        """Whether what is reduced is the dimension before that of the batch."""
        view = self.tensors.view(tensor)
        return dim in (0, [0], (0,)) and len(view.dims) > 1 and view.dims[1] == (BATCH,)

    def turned(self, tensor: Tensor) -> Tensor:
        """A tensor with its first two dimensions exchanged."""
        turned = tensor.transpose(0, 1)
        self.tensors.set(turned, reordered(self.tensors.view(tensor), [1, 0, *range(2, tensor.ndim)]))
        return turned

    def without_ones(self, tensors: list[Tensor]) -> list[Tensor]:
        """The operands of an op; those without a batch have no dimensions of size 1 in front, where others have it, and
        none where the batch of others is."""
        batched = [self.tensors.view(tensor) for tensor in tensors if self.tensors.view(tensor).value.is_batched]
        rank = max((len(view.dims) for view in batched), default=0)
        inner = {view.batch_dim - len(view.dims) for view in batched if view.batch_dim}
        found = [self._without(tensor, *inner) if len(inner) == 1 else tensor for tensor in tensors]
        return [self.squeezed(tensor) if tensor.ndim <= rank else tensor for tensor in found]

    def _without(self, tensor: Tensor, dim: int) -> Tensor:
        """A tensor without a batch, and without a dimension, counted from the last, if that is of size 1."""
        view = self.tensors.view(tensor)
        if view.value.is_batched or tensor.ndim < -dim or tensor.shape[dim] != 1:
            return tensor
        with torch._C.DisableTorchFunction():
            squeezed = tensor.squeeze(dim)
        place = tensor.ndim + dim
        self.tensors.set(squeezed, view._replace(dims=(*view.dims[:place], *view.dims[place + 1 :])))
        return squeezed

    def squeezed(self, tensor: Tensor) -> Tensor:
        """A tensor without the dimensions of size 1 in front that a view of a value without a batch has."""
        view = self.tensors.view(tensor)
        ones = next((place for place, group in enumerate(view.dims) if group), 0)
        if view.value.is_batched or view.is_whole or not ones:
            return tensor
        with torch._C.DisableTorchFunction():
            squeezed = tensor.reshape(tensor.shape[ones:])
        self.tensors.set(squeezed, view._replace(dims=view.dims[ones:]))
        return squeezed

    def has_window(self, tensors: list[Tensor]) -> bool:
        """Whether the batch of one of these is folded with one window."""
        views = [self.tensors.view(tensor) for tensor in tensors]
        return any(view != without_one_window(view) for view in views)

    def without_windows(self, tensors: list[Tensor]) -> None:
        """Note that the batch of these is folded with no window."""
        for tensor in tensors:
            self.tensors.set(tensor, without_one_window(self.tensors.view(tensor)))
