"""Several values as one: the result of a block with several outputs, or of a network that returns features."""

from __future__ import annotations

from typing import Any

from archspec.ops.base import Op
from archspec.ops.call import ALL_INPUTS, Call
from archspec.ops.shapes import Shape, Value
from archspec.ops.window import Windows, same


class Collect(Op):
    """Several values as one result. The compiler adds it at the end of a block or network; specs cannot contain it."""

    kind = "collect"
    helpers = ("archspec.backends.torch.helpers:collect",)
    arity = (1, None)
    needs_batch = False
    view = True

    names: tuple[str, ...] = ()
    """The names of the values; a block's own result after its features has none."""

    def yields(self, *inputs: Shape) -> Value:
        """All of the inputs' shapes, with a batch or without."""
        return inputs

    def infer(self, *inputs: Shape) -> Value:
        """All of the inputs' shapes."""
        return inputs

    def windows(self, *inputs: Shape) -> list[Windows]:
        """Each part is one of the inputs."""
        return [
            tuple(same(len(shape)) if other == number else None for other, shape in enumerate(inputs))
            for number in range(len(inputs))
        ]

    def computed_fields(self, *inputs: Shape) -> dict[str, Any]:
        """None: names are only how the values are referred to."""
        return {}

    def function(self, *inputs: Shape) -> Call:
        """A tuple of the inputs."""
        return Call("collect", (ALL_INPUTS,))
