"""ConvNeXt: Liu et al., "A ConvNet for the 2020s", https://arxiv.org/abs/2201.03545."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from archspec.diagnostics.validation import field_error, field_errors
from archspec.frontend.families.base import FamilySpec, Item, item
from archspec.ops.fields import Probability, Size

Stages = Annotated[list[Size], Field(min_length=1, max_length=16)]


class ConvNeXt(FamilySpec):
    """A 4×4 stem and stages of ConvNeXt blocks; each stage after the first halves the size of the feature map."""

    family: Literal["convnext"]
    depths: Stages = Field(description="blocks in each stage")
    dims: Stages = Field(description="channels of each stage")
    stochastic_depth_prob: Probability = Field(0.0, description="drop probability of the last block; 0 for the first")
    layer_scale: float = Field(1e-6, description="initial scale of each block's branch")

    @model_validator(mode="after")
    def _consistent(self) -> ConvNeXt:
        if len(self.dims) != len(self.depths):
            reason = f"expected {len(self.depths)} values, one for each stage of depths, got {len(self.dims)}"
            raise field_errors(field_error(("dims",), reason))
        return self

    def arguments(self) -> dict[str, Any]:
        return {**super().arguments(), "stochastic_depth_prob": self.stochastic_depth_prob}

    def layers(self) -> list[Item]:
        return [
            item("features", seq=[self._stem(), *self._stages()]),
            item("avgpool", op="adaptive_avg_pool2d", output_size=1),
            item("classifier", seq=[_norm(), {"op": "flatten"}, {"op": "linear", "out_features": "=num_classes"}]),
        ]

    def _stem(self) -> Item:
        conv = {"op": "conv2d", "out_channels": self.dims[0], "kernel_size": 4, "stride": 4}
        return {"seq": [conv, _norm()]}

    def _stages(self) -> Iterator[Item]:
        before = 0
        for number, (depth, dim) in enumerate(zip(self.depths, self.dims, strict=True)):
            if number:
                conv = {"op": "conv2d", "out_channels": dim, "kernel_size": 2, "stride": 2}
                yield {"seq": [_norm(), conv]}
            yield {"seq": [self._blocks(depth, before)]}
            before += depth

    def _blocks(self, depth: int, before: int) -> Item:
        """A stage's blocks; the probability of dropping one grows linearly, from 0 at the network's first block."""
        last = max(sum(self.depths) - 1, 1)
        number = f"(i + {before})" if before else "i"
        scale = {"layer_scale": self.layer_scale} if self.layer_scale != 1e-6 else {}
        return {"block": "CNBlock", "repeat": depth, "index": "i", **scale,
                "p": f"=stochastic_depth_prob * {number} / {last}"}  # fmt: skip

    def init_rules(self) -> list[Any]:
        return [{"op": ["conv2d", "linear"], "weight": {"trunc_normal": {"std": 0.02}}, "bias": 0}]

    def origins(self) -> dict[str, tuple[str | int, ...]]:
        return {"features": ("depths",), "classifier": ("num_classes",)}


def _norm() -> Item:
    return {"op": "layer_norm2d", "eps": 1e-6}
