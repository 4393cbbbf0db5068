"""Ops that join values along a dimension."""

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import ALL_INPUTS, Call
from archspec.ops.dimensions import Dimension, axis_of, common_batch, has_batch, new_axis_of, sized
from archspec.ops.shape_help import align
from archspec.ops.shapes import Shape, ShapeError, format_shape  # fmt: skip
from archspec.ops.window import Fold, Windows, same, without


class Cat(Op):
    """Concatenates values along their channels, or another dimension, `torch.cat`."""

    kind = "cat"
    spelled = ("cat(tensors, dim=0)", "concat(tensors, dim=0)")
    word = "concat"
    needs_batch = False
    concatenates = True
    arity = (1, None)
    fresh = True
    role = "join"

    dim: Dimension = Field(1, description="the dimension, counted with the batch as 0")

    def infer(self, *inputs: Shape) -> Shape:
        common_batch("cat", inputs)
        first = inputs[0]
        axis = axis_of(first, self.dim)
        for other in inputs[1:]:
            if len(other) != len(first) or _without(other, axis) != _without(first, axis):
                raise ShapeError(f"cannot concatenate {format_shape(first)} and {format_shape(other)}",
                                 self._help(first, other, axis))  # fmt: skip
        sizes = (*first[:axis], sum(shape[axis] for shape in inputs), *first[axis + 1 :])
        alike = type(first) if len({type(shape) for shape in inputs}) == 1 else tuple
        return alike(sizes)

    def _help(self, first: Shape, other: Shape, axis: int) -> str:
        if len(first) != len(other):
            return "flatten both or neither"
        if axis == 0 and has_batch(first):
            return align(first, other) or "all dimensions but the channels must agree"
        return f"all dimensions but {self.dim} must agree"

    def windows(self, *inputs: Shape) -> Windows:
        axis = axis_of(inputs[0], self.dim)
        return (without(len(inputs[0]), Fold((axis,), moved=True)),) * len(inputs)

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.cat", (ALL_INPUTS,), {"dim": self.dim})


def _without(shape: Shape, axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])


class Stack(Op):
    """Joins values of one shape along a new dimension, `torch.stack`."""

    kind = "stack"
    spelled = ("stack(tensors, dim=0)",)
    needs_batch = False
    arity = (1, None)
    fresh = True
    role = "join"

    dim: Dimension = Field(1, description="index of the new dimension, counted with the batch as 0")

    def infer(self, *inputs: Shape) -> Shape:
        common_batch("stack", inputs)
        first = inputs[0]
        axis = new_axis_of(first, self.dim)
        for other in inputs[1:]:
            if tuple(other) != tuple(first):
                raise ShapeError(f"cannot stack {format_shape(first)} and {format_shape(other)}",
                                 align(first, other) or "all values must have the same shape")  # fmt: skip
        return sized((1, 1) if has_batch(first) else first, (*first[:axis], len(inputs), *first[axis:]))

    def windows(self, *inputs: Shape) -> Windows:
        axis, own = new_axis_of(inputs[0], self.dim), same(len(inputs[0]))
        return ((*own[:axis], None, *own[axis:]),) * len(inputs)

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.stack", (ALL_INPUTS,), {"dim": self.dim})
