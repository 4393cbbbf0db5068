"""`einsum` of two tensors as a product of matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

from archspec.importer.layout import reordered
from archspec.ops import OPS
from archspec.ops.base import Unsupported

if TYPE_CHECKING:
    from archspec.importer.record import Recording


class Letters(NamedTuple):
    """The dimensions of a product of matrices, by their letters in an equation."""

    leading: list[str]
    row: str
    column: str
    inner: str


def einsum(recording: Recording, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
    """Note the call of `torch.einsum`; raises `Unsupported` if it is not a product of matrices."""
    equation, *operands = args
    operands = list(operands[0]) if len(operands) == 1 and isinstance(operands[0], list | tuple) else operands
    given, arrow, wanted = str(equation).replace(" ", "").partition("->")
    sides = given.split(",")
    if not arrow or len(sides) != 2 or len(operands) != 2 or "." in given:
        raise Unsupported(f"the equation {equation}")
    letters = _letters(sides[0], sides[1], wanted, str(equation))
    transposed = sides[1][-1] == letters.inner
    last = [letters.column, letters.inner] if transposed else [letters.inner, letters.column]
    tensors = [_ordered(recording, operands[0], sides[0], [*letters.leading, letters.row, letters.inner]),
               _ordered(recording, operands[1], sides[1], [*letters.leading, *last])]  # fmt: skip
    product = _ordered(recording, result, wanted, [*letters.leading, letters.row, letters.column], is_new=True)
    fields = {"transpose_b": True} if transposed else {}
    recording.calls.step(OPS["matmul"], fields, tensors, [product], None)
    order = [*letters.leading, letters.row, letters.column]
    view = recording.tensors.view(product)
    recording.tensors.set(result, reordered(view, [order.index(letter) for letter in wanted]))


def _letters(left: str, right: str, wanted: str, equation: str) -> Letters:
    leading = [letter for letter in wanted if letter in left and letter in right]
    rows = [letter for letter in left if letter in wanted and letter not in right]
    columns = [letter for letter in right if letter in wanted and letter not in left]
    inner = [letter for letter in left if letter not in wanted]
    parts = (rows, columns, inner)
    if any(len(part) != 1 for part in parts) or {*inner} != {letter for letter in right if letter not in wanted}:
        raise Unsupported(f"the equation {equation}")
    return Letters(leading, rows[0], columns[0], inner[0])


def _ordered(recording: Recording, tensor: Tensor, letters: str, order: list[str], is_new: bool = False) -> Tensor:
    """A tensor with its dimensions in another order."""
    places = [letters.index(letter) for letter in order]
    made = tensor.permute(places)
    if not is_new:
        recording.tensors.set(made, reordered(recording.tensors.view(tensor), places))
    return made
