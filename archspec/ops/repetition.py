"""Positions that are repeated: a whole value side by side, or each position beside itself."""

from typing import Annotated

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.dimensions import MAX_RANK, Dimension, axis_of
from archspec.ops.fields import Size
from archspec.ops.shapes import MAX_SIZE, Shape, ShapeError, format_rank
from archspec.ops.window import MAX_PHASES, UnknownWindow, Window, Windows


class Tile(Op):
    """A value several times side by side, `torch.tile`, along its last dimensions."""

    kind = "tile"
    needs_batch = False
    role = "shape"
    shown = ("times",)

    repeats: list[Annotated[int, Field(ge=1, lt=MAX_SIZE)]] = Field(
        min_length=1, max_length=MAX_RANK, description="how many times along each of the last dimensions"
    )

    @property
    def times(self) -> str:
        """The repeats, as text."""
        return " × ".join(str(int(number)) for number in self.repeats)

    def _all(self, shape: Shape) -> list[int]:
        """How many times along each dimension."""
        if len(self.repeats) > len(shape):
            raise ShapeError(f"{format_rank(shape)}, but repeats is for "
                             f"{len(self.repeats)}", f"write at most {len(shape)} numbers", "repeats")  # fmt: skip
        return [*[1] * (len(shape) - len(self.repeats)), *self.repeats]

    def infer(self, *inputs: Shape) -> Shape:
        shape = inputs[0]
        return type(shape)(size * times for size, times in zip(shape, self._all(shape), strict=True))

    def windows(self, *inputs: Shape) -> Windows:
        pairs = zip(inputs[0], self._all(inputs[0]), strict=True)
        return (tuple(_tiled(axis, int(size), int(times)) for axis, (size, times) in enumerate(pairs)),)

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.tile", (Input(0), tuple(self.repeats)))


def _tiled(axis: int, size: int, times: int) -> Window | UnknownWindow:
    if times == 1:
        return Window(axis)
    return Window(axis, step=0) if size == 1 else UnknownWindow(axis)


class RepeatInterleave(Op):
    """Each position of a dimension several times, one beside the other, `torch.repeat_interleave`."""

    kind = "repeat_interleave"
    spelled = ("repeat_interleave(input, repeats, dim)",)
    needs_batch = False
    role = "shape"
    shown = ("repeats",)

    repeats: Size = Field(description="how many times each position")
    dim: Dimension = Field(1, description="the dimension, counted with the batch as 0")

    def infer(self, *inputs: Shape) -> Shape:
        shape, axis = inputs[0], axis_of(inputs[0], self.dim)
        return type(shape)((*shape[:axis], shape[axis] * self.repeats, *shape[axis + 1 :]))

    def windows(self, *inputs: Shape) -> Windows:
        axis, times = axis_of(inputs[0], self.dim), int(self.repeats)
        entry = Window(axis, (0,) * times, (0,) * times) if times <= MAX_PHASES else UnknownWindow(axis)
        return (tuple(entry if dim == axis else Window(dim) for dim in range(len(inputs[0]))),)

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.repeat_interleave", (Input(0),), {"repeats": self.repeats, "dim": self.dim})
