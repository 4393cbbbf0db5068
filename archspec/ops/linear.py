"""The fully connected layer."""

from pydantic import Field

from archspec.ops.base import Argument, Op, Shape, ShapeError, Size, Value, format_shape, numel
from archspec.ops.window import Looks, same


class Linear(Op):
    """Fully connected layer on the last dimension, `nn.Linear`."""

    kind = "linear"
    module = "nn.Linear"
    needs_batch = False
    fresh = True
    role = "linear"
    shown = ("out_features",)
    numbers = frozenset({"out_features"})
    attributes = frozenset({"in_features"})
    vectors = frozenset({"bias"})

    out_features: Size = Field(description="features of the output")
    bias: bool = Field(True, description="whether a learned bias is added")

    def infer(self, *inputs: Shape) -> Shape:
        if len(inputs[0]) == 3 and type(inputs[0]) is tuple:
            raise ShapeError(f"linear would act on the width of {format_shape(inputs[0])} only",
                             help="put {op: flatten} before it")  # fmt: skip
        return type(inputs[0])((*inputs[0][:-1], self.out_features))

    def may_be_overwritten(self, output: Value) -> bool:
        return len(output) == 1 and type(output) is tuple  # of more dimensions torch makes one, and yields a view

    def looks(self, *inputs: Shape) -> Looks:
        return ((*same(len(inputs[0]) - 1), None),)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        weight = (self.out_features, inputs[0][-1])
        return {"weight": weight, "bias": (self.out_features,)} if self.bias else {"weight": weight}

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:  # type: ignore[override]
        return numel(inputs[0]) * int(self.out_features)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (
            Argument("in_features", inputs[0][-1], positional=True),
            self.argument("out_features", positional=True),
            self.argument("bias"),
        )
