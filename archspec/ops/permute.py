"""The order of dimensions."""

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Argument, Call, Input
from archspec.ops.dimensions import MAX_RANK
from archspec.ops.shapes import ChannelsLast, Shape, ShapeError  # fmt: skip
from archspec.ops.window import Window, Windows


class Permute(Op):
    """Reorders dimensions, `Tensor.permute`; dimension 0 is the batch and stays first."""

    kind = "permute"
    also = ("torchvision.ops.misc:Permute",)
    module = "Permute"
    carries_integers = True
    helpers = ("archspec.backends.torch.helpers:Permute",)
    view = True
    role = "shape"

    dims: list[int] = Field(
        min_length=2, max_length=MAX_RANK + 1, description="the old dimension at each new place, from 0"
    )

    def infer(self, *inputs: Shape) -> Shape:
        shape = inputs[0]
        if self.dims[0] != 0 or sorted(self.dims) != list(range(len(shape) + 1)):
            message = (
                f"expected an order of the dimensions 0 to {len(shape)} that begins with 0, the batch, got {self.dims}"
            )
            raise ShapeError(message, "for channels last, write [0, 2, 3, 1]" if len(shape) == 3 else "", "dims")
        moved = tuple(shape[dim - 1] for dim in self.dims[1:])
        is_last = self.dims[1] != 3 if isinstance(shape, ChannelsLast) else self.dims[-1] == 1
        return ChannelsLast(moved) if len(shape) == 3 and is_last else moved

    def windows(self, *inputs: Shape) -> Windows:
        return (tuple(Window(dim - 1) for dim in self.dims[1:]),)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (Argument("dims", tuple(self.dims), positional=True),)

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.permute", (Input(0), tuple(self.dims)))
