"""Repeating dimensions of size 1, and taking the batch of another value."""

from typing import Literal

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.dimensions import MAX_RANK, has_batch, sized
from archspec.ops.fields import Size
from archspec.ops.shapes import Shape, ShapeError, format_shape
from archspec.ops.window import Windows, spread


class Expand(Op):
    """Repeats dimensions of size 1 without copying, `Tensor.expand`. A value without a batch can be expanded to the
    batch of a second value: its dimension 0, of size 1, becomes the batch."""

    kind = "expand"
    needs_batch = False
    carries_integers = True
    arity = (1, 2)
    batch_only = frozenset({1})
    view = True
    role = "shape"

    size: list[Literal[-1] | Size] | None = Field(
        None, min_length=1, max_length=MAX_RANK, description="the sizes without the batch; -1 keeps one"
    )

    def infer(self, *inputs: Shape) -> Shape:
        shape = inputs[0]
        own = self._own(*inputs)
        if self.size is None:
            if len(inputs) == 1:
                raise ShapeError("it needs a size, or a second value whose batch it takes",
                                 "write size: […], or from: [token, x]")  # fmt: skip
            return own
        if len(self.size) != len(own):
            raise ShapeError(f"{format_shape(own)} cannot be expanded to {len(self.size)} sizes",
                             f"write {len(own)}, with -1 for those that are kept", "size")  # fmt: skip
        for size, wanted in zip(own, self.size, strict=True):
            if wanted not in (-1, size) and (size != 1):
                raise ShapeError(f"{format_shape(own)} cannot be expanded to {_written(self.size)}",
                                 "only a size of 1 can be expanded; -1 keeps one", "size")  # fmt: skip
        sizes = [size if wanted == -1 else wanted for size, wanted in zip(own, self.size, strict=True)]
        return sized(shape if len(inputs) == 1 else own, sizes)

    def _own(self, *inputs: Shape) -> Shape:
        """The sizes before they are expanded, with a batch if the result has one."""
        shape = inputs[0]
        if len(inputs) == 1:
            return shape
        if has_batch(shape):
            raise ShapeError(f"{format_shape(shape)} has a batch already", "leave out the second value")
        if not has_batch(inputs[1]):
            raise ShapeError("input 2 has no batch to take",
                             "name a value that comes from the network's input")  # fmt: skip
        if len(shape) < 2 or int(shape[0]) != 1:
            raise ShapeError(f"dimension 0 of {format_shape(shape)} cannot become the batch",
                             f"it must be 1 and others must follow: shape: {[1, *map(int, shape)]}")  # fmt: skip
        return sized((1, 1), shape[1:])

    def windows(self, *inputs: Shape) -> Windows:
        own, output = self._own(*inputs), self.infer(*inputs)
        return (spread(own, output),) if len(inputs) == 1 else (spread(own, output), None)

    def function(self, *inputs: Shape) -> Call:
        own = self._own(*inputs)
        sizes = [-1] * len(own) if self.size is None else self.size
        if len(inputs) == 2:
            return Call("Tensor.expand", (Input(0), Call("Tensor.size", (Input(1), 0)), *sizes))
        return Call("Tensor.expand", (Input(0), *[-1] * has_batch(own), *sizes))


def _written(sizes: list[int]) -> str:
    return "×".join(str(int(size)) for size in sizes)
