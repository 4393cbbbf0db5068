"""Normalisation over groups of channels."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Argument
from archspec.ops.fields import Size, learned_vectors, may_be
from archspec.ops.shapes import Shape, ShapeError
from archspec.ops.window import All, UnknownWindow, Windows


class GroupNorm(Op):
    """Normalisation over groups of channels of one sample, `nn.GroupNorm` (Wu & He, https://arxiv.org/abs/1803.08494)."""

    kind = "group_norm"
    spelled = ("group_norm(input, num_groups, weight=None, bias=None, eps=1e-05)",)
    module = "nn.GroupNorm"
    fresh = True
    role = "norm"
    numbers = frozenset({"eps", "num_groups"})
    vectors = frozenset({"weight", "bias"})

    num_groups: Size = Field(description="number of groups; must divide the channels")
    eps: float = Field(1e-5, gt=0, description="added to the variance")
    affine: bool = Field(True, description="whether a learned scale and shift follow")
    bias: bool = Field(True, description="whether the shift is learned, too")

    def infer(self, *inputs: Shape) -> Shape:
        if inputs[0][0] % self.num_groups:
            raise ShapeError(f"{inputs[0][0]} channels cannot be split into {self.num_groups} groups",
                             may_be("num_groups", inputs[0][0]), "num_groups")  # fmt: skip
        return inputs[0]

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        if not self.affine:
            return {}
        return {"weight": inputs[0][:1], "bias": inputs[0][:1]} if self.bias else {"weight": inputs[0][:1]}

    @classmethod
    def of_module(cls, module: Any) -> dict[str, Any]:
        return {
            "num_groups": module.num_groups,
            "eps": module.eps,
            **learned_vectors("affine", module.weight, module.bias),
        }

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        learned = learned_vectors("affine", given["weight"], given["bias"])
        return {"num_groups": given["num_groups"], "eps": given["eps"], **learned}

    def windows(self, *inputs: Shape) -> Windows:
        return ((All(0) if self.num_groups == 1 else UnknownWindow(0), *map(All, range(1, len(inputs[0])))),)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        channels = Argument("num_channels", inputs[0][0], positional=True)
        return (self.argument("num_groups", positional=True), channels,
                *map(self.argument, ("eps", "affine", "bias")))  # fmt: skip
