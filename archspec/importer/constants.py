"""Tensors that `forward` computes from neither inputs nor parameters: their numbers, on the meta device, too."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map

CREATING: Final = frozenset({
    "new_zeros", "new_ones", "new_full", "new_tensor", "new_empty",
    "zeros_like", "ones_like", "full_like", "empty_like",
})  # fmt: skip
"""Functions that take a tensor for its type and shape only."""

ALIKE: Final = frozenset({"view_as", "reshape_as", "expand_as", "type_as", "to"})
"""Functions that take their second tensor for its type and shape only."""


class Constants:
    """The numbers of constants. What makes them is run a second time on the CPU where a model runs without numbers."""

    def __init__(self) -> None:
        self._numbers: dict[int, Tensor] = {}
        self._kept: list[Tensor] = []

    def numbers(self, tensor: Tensor) -> Tensor | None:
        """The numbers of a constant; `None` if they are not known."""
        return self._numbers.get(id(tensor)) if tensor.is_meta else tensor

    def follow(self, func: Any, args: Any, kwargs: Any, made: list[Tensor]) -> None:
        """Note what a function makes or changes that looks at the numbers of constants only."""
        if not any(tensor.is_meta for tensor in (*made, *tensors_in((args, kwargs)))):
            return
        args, kwargs = tree_map(self._on_cpu, (args, kwargs))
        with torch.device("cpu"):
            result = func(*args, **kwargs)
        for tensor, numbers in zip(made, tensors_in(result), strict=True):
            self._numbers[id(tensor)] = numbers
            self._kept.append(tensor)

    def _on_cpu(self, leaf: Any) -> Any:
        if isinstance(leaf, torch.device):
            return torch.device("cpu")
        if isinstance(leaf, Tensor):
            known = self.numbers(leaf)
            return torch.empty(leaf.shape, dtype=leaf.dtype, device="cpu") if known is None else known
        return leaf


def tensors_in(tree: Any) -> list[Tensor]:
    """All tensors in a tree of containers."""
    return [leaf for leaf in tree_flatten(tree)[0] if isinstance(leaf, Tensor)]
