"""How an op is written in torch: the arguments of its module, and calls of functions."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple


class Argument(NamedTuple):
    """One argument of a torch constructor; an argument equal to torch's own `default` is not written."""

    name: str
    value: Any
    default: Any = ...
    positional: bool = False


@dataclass(frozen=True)
class Input:
    """Stands for the op's input number `index` in a `Call`."""

    index: int


ALL_INPUTS: Final = Input(-1)
"""Stands for the list of all inputs in a `Call`."""

MODULE: Final = "module"
"""Stands for the module of the op itself as the target of a `Call`."""

TRAINING: Final = "self.training"
"""Stands for the mode of the enclosing module in a `Call`."""


@dataclass(frozen=True)
class InTraining:
    """Stands for a number in training, and 0 in evaluation, in the keyword arguments of a `Call`."""

    value: float


@dataclass(frozen=True)
class Call:
    """A function call in torch: `target` (`torch.flatten`, `Tensor.permute`, `operator.add`) and its arguments.

    An argument may itself be a call; `operator.getitem` takes a value and a tuple of numbers and slices, `Tensor.shape`
    a value and the first of the dimensions whose sizes it stands for: `x.shape[-2:]`.
    """

    target: str
    args: tuple[Any, ...] = (Input(0),)
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    part: int | None = None
    """The index of the value that is used, if it returns several."""

    @property
    def inner(self) -> tuple["Call", ...]:
        """The calls among its arguments."""
        return tuple(arg for arg in (*self.args, *self.kwargs.values()) if isinstance(arg, Call))

    def in_place(self) -> "Call":
        """The call that overwrites its first input: `operator.iadd`, or with the argument `inplace`."""
        if self.target.startswith("operator."):
            return replace(self, target=self.target.replace(".", ".i"))
        return replace(self, kwargs={**self.kwargs, "inplace": True})
