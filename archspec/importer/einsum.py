"""`torch.einsum` as the op `einsum`, whose equation does not name the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_letters
from typing import TYPE_CHECKING, Any

from torch import Tensor

from archspec.importer.layout import View, arranged, computed
from archspec.ops.base import Unsupported

if TYPE_CHECKING:
    from archspec.importer.record import Recording


def einsum(recording: Recording, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
    """Note the call of `torch.einsum`; raises `Unsupported` if the batch is not a letter of its own."""
    equation, *operands = args
    operands = list(operands[0]) if len(operands) == 1 and isinstance(operands[0], list | tuple) else operands
    given, arrow, wanted = str(equation).replace(" ", "").partition("->")
    sides = given.split(",")
    if not arrow or "." in equation or len(sides) != len(operands) or len(sides) > 2:
        raise Unsupported(f"the equation {equation}")
    values = [recording.calls.whole(operand) for operand in operands]
    views = [recording.tensors.view(operand) for operand in operands]
    spare = [letter for letter in ascii_letters if letter not in str(equation)]
    batched = {side[view.batch_dim]: view for side, view in zip(sides, views, strict=True) if view.value.is_batched}
    if len(batched) > 1 or any(letter not in wanted for letter in batched):
        raise Unsupported(f"the equation {equation}, in which the batch has two letters, or none in the result")
    (letter, like), *_ = [*batched.items(), ("", views[0])]
    output = computed(result.shape, like, wanted.find(letter), recording.tensors.batch)
    lettered = [_letters(side, view, spare) for side, view in zip(sides, views, strict=True)]
    fields = {"equation": f"{','.join(lettered)}->{_letters(wanted, output, spare)}"}
    recording.calls.checked("einsum", fields, values, output.value)
    recording.tensors.set(result, output)


def _letters(side: str, view: View, spare: Sequence[str]) -> str:
    """The letters of a value's dimensions: those of a tensor, and spare ones for what the batch is folded with."""
    if not view.value.is_batched:
        return side
    _, places = arranged(view)
    folded = iter(spare)
    return "".join(next(folded) if place == view.batch_dim else side[place or 0] for place in places)
