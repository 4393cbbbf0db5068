"""PReLU, an activation with learned slopes."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.fields import Size
from archspec.ops.shapes import Shape, ShapeError
from archspec.ops.window import Windows, same


class PReLU(Op):
    """x where positive, else a learned slope × x, `nn.PReLU` (He et al., https://arxiv.org/abs/1502.01852)."""

    kind = "prelu"
    spelled = ("prelu(input, weight)",)
    module = "nn.PReLU"
    holds = frozenset({"weight"})
    fresh = True
    role = "activation"
    numbers = frozenset({"num_parameters", "init"})
    vectors = frozenset({"weight"})

    num_parameters: Size = Field(1, description="slopes: 1, or one for each channel")
    init: float = Field(0.25, description="initial slope")

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        return {"num_parameters": int(given["weight"].numel())}

    def infer(self, *inputs: Shape) -> Shape:
        channels = inputs[0][0]
        if self.num_parameters not in (1, channels):
            raise ShapeError(f"{self.num_parameters} slopes for {int(channels)} channels",
                             f"num_parameters may be 1 or {int(channels)}", "num_parameters")  # fmt: skip
        return inputs[0]

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"weight": (self.num_parameters,)}

    def windows(self, *inputs: Shape) -> Windows:
        return (same(len(inputs[0])),)
