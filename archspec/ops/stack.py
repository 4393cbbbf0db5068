"""Values joined along a new dimension."""

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import ALL_INPUTS, Call
from archspec.ops.dimensions import Dimension, common_batch, has_batch, new_axis_of, sized
from archspec.ops.shape_help import align
from archspec.ops.shapes import Shape, ShapeError, format_shape
from archspec.ops.window import Windows, same


class Stack(Op):
    """Joins values of one shape along a new dimension, `torch.stack`."""

    kind = "stack"
    spelled = ("stack(tensors, dim=0)",)
    needs_batch = False
    needs_dimensions = False
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
