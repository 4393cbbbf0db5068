"""Tensors that are computed from neither inputs nor parameters: their numbers, on the meta device, too, and how they
were computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

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

_RANDOM: Final = frozenset({
    "rand", "randn", "randint", "randperm", "empty", "empty_strided", "bernoulli", "normal", "log_normal", "uniform",
    "exponential", "geometric", "cauchy", "poisson", "multinomial", "dropout",
})  # fmt: skip
"""Functions whose results differ from run to run, as are those named `new_empty`, `rand_like` and `normal_`."""

_LEAVES: Final = frozenset({int, float, bool, str, type(None), torch.dtype, torch.device, torch.Size})
"""Types of values that hold no tensors, as most arguments are."""

_FILLING: Final = frozenset({"copy_", "fill_", "zero_"})
"""Functions that overwrite all of a tensor."""


class Made(NamedTuple):
    """The call that made a constant."""

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    result: Any
    versions: tuple[int, ...]
    """Those of its arguments and results: what is changed in place afterwards is no longer what the call made."""

    def is_current(self) -> bool:
        """Whether none of its tensors was changed since."""
        return self.versions == _versions(self.args, self.kwargs, self.result)


class Constants:
    """The numbers of constants. What makes them is run a second time on the CPU where a model runs without numbers."""

    def __init__(self, before: Constants | None = None) -> None:
        self._numbers: dict[int, Tensor] = {}
        self._random: set[int] = set() if before is None else {*before._random}
        self._made: dict[int, Made] = {} if before is None else {**before._made}

    def copy(self, tensor: Tensor, original: Tensor) -> None:
        """Note that a tensor is a constant with the numbers of another."""
        self._numbers[id(tensor)] = original
        made = self.origin(original)
        if made is not None:
            self._made[id(tensor)] = Made("clone", (original,), {}, tensor, _versions(original, tensor))

    def numbers(self, tensor: Tensor) -> Tensor | None:
        """The numbers of a constant; `None` if they are not known, or random."""
        if id(tensor) in self._random:
            return None
        return self._numbers.get(id(tensor)) if tensor.is_meta else tensor

    def varies(self, tensor: Tensor) -> None:
        """Note a tensor that is no constant, and that nothing can read."""
        self._random.add(id(tensor))
        self._made[id(tensor)] = Made("", (), {}, tensor, ())

    def origin(self, tensor: Tensor) -> Made | None:
        """The call that made a constant, if that is known and its tensors are as they were then."""
        made = self._made.get(id(tensor))
        return made if made is not None and made.is_current() else None

    def was_blank(self, tensor: Tensor) -> bool:
        """Whether a tensor was made without numbers, and changed in place once since."""
        made = self._made.get(id(tensor))
        return made is not None and "empty" in made.name and made.versions[-1] + 1 == tensor._version

    def follow(self, name: str, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        """Note what a function makes or changes that looks at the numbers of constants only."""
        results, given = tensors_in(result), tensors_in((args, kwargs))
        if name in _FILLING:
            self._random.discard(id(given[0]))
        if _is_random(name) or any(id(tensor) in self._random for tensor in given):
            self._random.update(map(id, results))
        elif any(tensor.is_meta for tensor in (*results, *given)):
            self._follow_numbers(func, args, kwargs, results)
        changed = [tensor for tensor in results if self.origin(tensor) is None]  # others are arguments, unchanged
        self._made.update({id(tensor): _call(name, args, kwargs, result) for tensor in changed})

    def _follow_numbers(self, func: Any, args: Any, kwargs: Any, results: list[Tensor]) -> None:
        args, kwargs = tree_map(self._on_cpu, (args, kwargs))
        with torch.device("cpu"):
            found = func(*args, **kwargs)
        self._numbers.update(zip(map(id, results), tensors_in(found), strict=True))

    def _on_cpu(self, leaf: Any) -> Any:
        if isinstance(leaf, torch.device):
            return torch.device("cpu")
        if isinstance(leaf, Tensor):
            known = self.numbers(leaf)
            return torch.empty(leaf.shape, dtype=leaf.dtype, device="cpu") if known is None else known
        return leaf


def _call(name: str, args: Any, kwargs: Any, result: Any) -> Made:
    """The call that made a result; of one that changed a tensor in place only copies are known."""
    given = tensors_in((args, kwargs))
    if not any(tensor is one for tensor in tensors_in(result) for one in given):
        return Made(name, args, kwargs, result, _versions(args, kwargs, result))
    is_copy = name == "copy_" and result.shape == given[1].shape and result.dtype == given[1].dtype
    args = (given[1],) if is_copy else ()
    return Made("clone", args, {}, result, _versions(args, {}, result))


def _is_random(name: str) -> bool:
    return name.removeprefix("new_").rstrip("_").removesuffix("_like") in _RANDOM


def _versions(*trees: Any) -> tuple[int, ...]:
    return tuple(tensor._version for tensor in tensors_in(trees))


def tensors_in(tree: Any) -> list[Tensor]:
    """All tensors in a tree of containers."""
    if isinstance(tree, Tensor):
        return [tree]
    if type(tree) in (tuple, list):
        return [tensor for entry in tree for tensor in tensors_in(entry)]
    return [] if type(tree) in _LEAVES else [leaf for leaf in tree_flatten(tree)[0] if isinstance(leaf, Tensor)]
