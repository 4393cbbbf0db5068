"""The fully connected layer."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from archspec.diagnostics.checked import Checked
from archspec.diagnostics.validation import field_error, field_errors
from archspec.expressions.sizes import is_whole
from archspec.ops.base import Op
from archspec.ops.call import Argument
from archspec.ops.fields import Size
from archspec.ops.shapes import Shape, ShapeError, Value, format_shape, numel
from archspec.ops.window import Windows, same


def _ends(value: Any) -> tuple[int, int]:
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(map(is_whole, value)):
        raise ValueError(f"expected [start, stop], got {value!r:.60}")
    return (value[0], value[1])


Ends = Annotated[tuple[int, int], Checked(_ends, Annotated[list[int], Field(min_length=2, max_length=2)])]
"""A range of a dimension: the first position, and the first after it."""


class Linear(Op):
    """Fully connected layer on the last dimension, `nn.Linear`."""

    kind = "linear"
    spelled = ("linear(input, weight, bias=None)",)
    module = "nn.Linear"
    helpers = (
        "archspec.backends.torch.linear:PartlyBiasedLinear",
        "archspec.backends.torch.linear:TransposedLinear",
    )
    needs_batch = False
    fresh = True
    role = "linear"
    shown = ("out_features",)
    numbers = frozenset({"out_features"})
    attributes = frozenset({"in_features"})
    vectors = frozenset({"bias"})

    out_features: Size = Field(description="features of the output")
    bias: bool = Field(True, description="whether a learned bias is added")
    zero_bias: Ends | None = Field(None, description="[start, stop]: the bias of these features is not used")

    transposed: bool = Field(False, description="whether the weight is in_features × out_features, as in GPT-2")

    @model_validator(mode="after")
    def _zero_bias_fits(self) -> "Linear":
        if self.zero_bias is not None and self.transposed:
            raise ValueError("a layer with zero_bias cannot be transposed")
        if self.zero_bias is not None and not self.bias:
            raise ValueError("zero_bias needs a bias")
        if self.zero_bias is not None and not 0 <= self.zero_bias[0] < self.zero_bias[1] <= self.out_features:
            start, stop = map(int, self.zero_bias)
            raise field_errors(field_error(("zero_bias",), f"expected part of the features 0 to "
                                           f"{int(self.out_features)}, got [{start}, {stop}]"))  # fmt: skip
        return self

    def made_by(self) -> str:
        if self.transposed:
            return "TransposedLinear"
        return "nn.Linear" if self.zero_bias is None else "PartlyBiasedLinear"

    def infer(self, *inputs: Shape) -> Shape:
        if len(inputs[0]) == 3 and type(inputs[0]) is tuple:
            raise ShapeError(f"linear would act on the width of {format_shape(inputs[0])} only",
                             help="put {op: flatten} before it")  # fmt: skip
        return type(inputs[0])((*inputs[0][:-1], self.out_features))

    def may_be_overwritten(self, output: Value) -> bool:
        return len(output) == 1 and type(output) is tuple  # torch flattens more dimensions, and returns a view

    def windows(self, *inputs: Shape) -> Windows:
        return ((*same(len(inputs[0]) - 1), None),)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        weight = (inputs[0][-1], self.out_features) if self.transposed else (self.out_features, inputs[0][-1])
        return {"weight": weight, "bias": (self.out_features,)} if self.bias else {"weight": weight}

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:  # type: ignore[override]
        return numel(inputs[0]) * int(self.out_features)

    @classmethod
    def of_module(cls, module: Any) -> dict[str, Any]:
        return {"out_features": module.out_features, "bias": module.bias is not None}

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        return {"out_features": int(given["weight"].shape[0]), "bias": given["bias"] is not None}

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (
            Argument("in_features", inputs[0][-1], positional=True),
            self.argument("out_features", positional=True),
            self.argument("bias") if self.zero_bias is None else self.argument("zero_bias"),
        )
