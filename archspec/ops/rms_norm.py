"""Division by the root mean square over the last dimensions of each position."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from archspec.ops.call import Argument
from archspec.ops.dimensions import MAX_RANK
from archspec.ops.fields import Size
from archspec.ops.layer_norm import PositionNorm
from archspec.ops.shapes import Shape


class RMSNorm(PositionNorm):
    """Division by the root of the mean square over the last dimension, or several, `nn.RMSNorm`
    (Zhang & Sennrich, https://arxiv.org/abs/1910.07467)."""

    kind = "rms_norm"
    spelled = ("rms_norm(input, normalized_shape, weight=None, eps=None)",)
    module = "nn.RMSNorm"
    holds = frozenset({"weight"})
    fresh = False  # backward may read it, depending on the kernel

    eps: float | None = Field(None, gt=0, description="added to the mean square; the type's smallest step if not given")
    num_dims: Size = Field(1, le=MAX_RANK, description="how many dimensions are normalised together, the last ones")
    elementwise_affine: bool = Field(True, description="whether a learned scale follows")

    def over(self) -> int:
        return self.num_dims

    @classmethod
    def of_module(cls, module: Any) -> dict[str, Any]:
        return {"eps": module.eps, "num_dims": len(module.normalized_shape),
                "elementwise_affine": module.weight is not None}  # fmt: skip

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        return {"eps": given["eps"], "num_dims": len(given["normalized_shape"]),
                "elementwise_affine": given["weight"] is not None}  # fmt: skip

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"weight": self.sizes(inputs[0])} if self.elementwise_affine else {}

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (self.normalized_shape(inputs[0]), self.argument("eps"), self.argument("elementwise_affine"))
