"""Values joined along a dimension."""

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import ALL_INPUTS, Call
from archspec.ops.dimensions import Dimension, axis_of, common_batch, has_batch
from archspec.ops.shape_help import align
from archspec.ops.shapes import Shape, ShapeError, format_shape  # fmt: skip
from archspec.ops.window import Fold, Windows, without


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
