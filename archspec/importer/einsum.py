"""`torch.einsum` as the op `einsum`, whose equation does not name the batch."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters
from typing import TYPE_CHECKING

from torch import Tensor

from archspec.importer.layout import View, arranged, computed
from archspec.ops import OPS
from archspec.ops.base import Unsupported

if TYPE_CHECKING:
    from archspec.importer.record import Recording


def einsum(recording: Recording, result: Tensor, equation: str, operands: Sequence[Tensor]) -> None:
    """Note the call of `torch.einsum`; raises `Unsupported` if the batch is not a letter of its own. Products of
    matrices are `matmul`, unless they may round otherwise."""
    given, arrow, wanted = str(equation).replace(" ", "").partition("->")
    sides = given.split(",")
    if not arrow or "." in equation or len(sides) != len(operands) or len(sides) > 2:
        raise Unsupported(f"the equation {equation}")
    transposed = None if recording.eager else _second_transposed(sides, wanted)
    if transposed is not None and all(_has_batch_first(recording, operand) for operand in operands):
        fields = {"transpose_b": True} if transposed else {}
        recording.calls.step(OPS["matmul"], fields, [*operands], [result], None)
        return
    values = [recording.values.whole(operand) for operand in operands]
    views = [recording.tensors.view(operand) for operand in operands]
    spare = [letter for letter in ascii_letters if letter not in str(equation)]
    batched = {side[view.batch_dim]: view for side, view in zip(sides, views, strict=True) if view.value.is_batched}
    if len(batched) > 1 or any(letter not in wanted for letter in batched):
        raise Unsupported(f"the equation {equation}, in which the batch has two letters, or none in the result")
    (letter, like), *_ = [*batched.items(), ("", views[0])]
    output = computed(result.shape, like, wanted.find(letter), recording.tensors.batch)
    lettered = [_letters(side, view, spare) for side, view in zip(sides, views, strict=True)]
    own = {"equation": f"{','.join(lettered)}->{_letters(wanted, output, spare)}"}
    recording.calls.checked("einsum", own, values, output.value)
    recording.tensors.set(result, output)


def _second_transposed(sides: Sequence[str], wanted: str) -> bool | None:
    """Whether an equation is the product of matrices with the transpose of others; `None` if it is no product."""
    if len(sides) != 2 or len(wanted) < 3 or len(set(wanted)) < len(wanted):
        return None
    first, second, stack = *sides, wanted[:-2]
    inner = first[-1:]
    if inner in wanted or first[:-1] != wanted[:-1] or second[:-2] != stack:
        return None
    return {inner + wanted[-1]: False, wanted[-1] + inner: True}.get(second[-2:])


def _has_batch_first(recording: Recording, operand: Tensor) -> bool:
    view = recording.tensors.view(operand)
    return view.value.is_batched and view.batch_dim == 0


def _letters(side: str, view: View, spare: Sequence[str]) -> str:
    """The letters of a value's dimensions: those of a tensor, and spare ones for what the batch is folded with."""
    if not view.value.is_batched:
        return side
    _, places = arranged(view)
    folded = iter(spare)
    return "".join(next(folded) if place == view.batch_dim else side[place or 0] for place in places)
