"""Products and sums over named dimensions."""

from __future__ import annotations

import re
from math import prod
from string import ascii_uppercase
from typing import Final

from pydantic import Field, model_validator

from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.dimensions import has_batch, sized
from archspec.ops.shapes import Shape, ShapeError, format_shape
from archspec.ops.window import Window, Windows

_EQUATION: Final = re.compile(r"([a-zA-Z]*)(?:,([a-zA-Z]*))?->([a-zA-Z]*)")


class Einsum(Op):
    """The sum of products over named dimensions, `torch.einsum`: `ik,kj->ij` multiplies two matrices. A letter names a
    dimension; those that are not in the result are summed over. The batch is not written: values that have one agree in
    it, and so has the result."""

    kind = "einsum"
    needs_batch = False
    arity = (1, 2)
    role = "join"
    shown = ("equation",)

    equation: str = Field(description="the letters of each value's dimensions, and after -> those of the result")

    @model_validator(mode="after")
    def _can_be_read(self) -> Einsum:
        found = _EQUATION.fullmatch(self.equation.replace(" ", ""))
        if found is None:
            raise ValueError(f"expected letters of one or two values and of the result, such as ik,kj->ij, "
                             f"got {self.equation!r:.60}")  # fmt: skip
        *operands, result = [letters for letters in found.groups() if letters is not None]
        for letters in (*operands, result):
            if twice := next((letter for letter in letters if letters.count(letter) > 1), None):
                raise ValueError(f"the letter {twice} stands twice in {letters}")
        if unknown := next((letter for letter in result if letter not in "".join(operands)), None):
            raise ValueError(f"the letter {unknown} of the result is in no value")
        return self

    def takes(self) -> tuple[int, int | None]:
        return (2, 2) if "," in self.equation else (1, 1)

    def _letters(self) -> tuple[list[str], str]:
        """The letters of the values, and those of the result."""
        operands, _, result = self.equation.replace(" ", "").partition("->")
        return operands.split(","), result

    def _sizes(self, *inputs: Shape) -> dict[str, int]:
        """The size of the dimension that each letter stands for; raises `ShapeError` if values disagree."""
        sizes: dict[str, int] = {}
        for number, (letters, shape) in enumerate(zip(self._letters()[0], inputs, strict=True), 1):
            if len(letters) != len(shape):
                raise ShapeError(f"input {number} is {format_shape(shape)}, which is not {letters or 'a number'}",
                                 "a letter for each dimension, without the batch", "equation")  # fmt: skip
            for letter, size in zip(letters, shape, strict=True):
                if sizes.setdefault(letter, size) != size:
                    raise ShapeError(f"{letter} is {int(sizes[letter])} and {int(size)}",
                                     "a letter stands for one size", "equation")  # fmt: skip
        return sizes

    def infer(self, *inputs: Shape) -> Shape:
        sizes = self._sizes(*inputs)
        like = next((shape for shape in inputs if has_batch(shape)), inputs[0])
        return sized((1, 1) if has_batch(like) else like, [sizes[letter] for letter in self._letters()[1]])

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:  # type: ignore[override]
        (first, *others), result = self._letters()
        sizes = self._sizes(*inputs)
        summed = {letter for letter in {*first}.intersection(*others) - {*result} if others and sizes[letter] > 1}
        return int(prod(sizes[letter] for letter in {*result, *summed})) if summed else 0  # without, it is a mul

    def windows(self, *inputs: Shape) -> Windows:
        operands, result = self._letters()
        return tuple(
            tuple(Window(letters.index(letter)) if letter in letters else None for letter in result)
            for letters in operands
        )

    def function(self, *inputs: Shape) -> Call:
        operands, result = self._letters()
        batch = next(letter for letter in f"bn{ascii_uppercase}" if letter not in self.equation)
        lettered = [batch * has_batch(shape) + letters for letters, shape in zip(operands, inputs, strict=True)]
        equation = f"{','.join(lettered)}->{batch * any(map(has_batch, inputs))}{result}"
        return Call("torch.einsum", (equation, *map(Input, range(len(inputs)))))
