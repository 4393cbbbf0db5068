"""RegNetX and RegNetY: Radosavovic et al., "Designing Network Design Spaces", https://arxiv.org/abs/2003.13678."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from itertools import groupby
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import Field, model_validator

from archspec.diagnostics.validation import field_error, field_errors
from archspec.expressions.functions import make_divisible
from archspec.frontend.families.base import FamilySpec, Item, item
from archspec.ops.fields import Size

QUANTUM: Final = 8
"""Widths are multiples of this before they are adapted to the groups."""

Width = Annotated[int, Field(ge=QUANTUM, lt=1 << 20, multiple_of=QUANTUM)]


class Stage(NamedTuple):
    """A run of blocks of equal width."""

    depth: int
    width: int
    group_width: int


class RegNet(FamilySpec):
    """A 3×3 stem and stages of residual bottlenecks, whose widths follow from a line: u_j = w_0 + w_a × j."""

    family: Literal["regnet"]
    depth: Annotated[int, Field(ge=1, le=1000)] = Field(description="number of blocks, those of all stages together")
    w_0: Width = Field(description="width of the first block, a multiple of 8")
    w_a: float = Field(ge=0, lt=1 << 20, description="slope: by how much each block is wider than the one before")
    w_m: float = Field(gt=1, lt=1 << 20, description="widths are rounded to w_0 times a power of this")
    group_width: Size = Field(description="channels in each group of the 3×3 convolutions")
    bottleneck_multiplier: float = Field(
        1.0, gt=0, le=100, description="width inside a block, relative to that outside"
    )
    se_ratio: float = Field(
        0.0, ge=0, le=100, description="channels of the squeeze, relative to the block's input; 0 for no SE"
    )
    stem_width: Size = Field(32, description="channels of the stem")

    @model_validator(mode="after")
    def _has_channels(self) -> RegNet:
        if int(self.w_0 * self.bottleneck_multiplier) < 1:
            help = f"choose at least 1 / w_0, which is {1 / self.w_0:g}"
            raise field_errors(
                field_error(("bottleneck_multiplier",), "the blocks would have no channels inside", help)
            )
        return self

    def layers(self) -> list[Item]:
        stages = enumerate(self.stages(), 1)
        return [
            item("stem", block="ConvNormActivation", out_channels=self.stem_width, stride=2),
            item("trunk_output", seq=[self._stage(number, stage) for number, stage in stages]),
            item("avgpool", op="adaptive_avg_pool2d", output_size=1),
            {"op": "flatten"},
            item("fc", op="linear", out_features="=num_classes"),
        ]

    def _stage(self, number: int, stage: Stage) -> Item:
        settings = {"bottleneck_multiplier": (self.bottleneck_multiplier, 1.0), "se_ratio": (self.se_ratio, 0.0)}
        given = {name: value for name, (value, default) in settings.items() if value != default}
        return item(f"block{number}", block="RegNetStage", number=number, depth=stage.depth, out_channels=stage.width,
                    group_width=stage.group_width, **given)  # fmt: skip

    def stages(self) -> list[Stage]:
        """The stages: runs of blocks of equal width, the width adapted to a multiple of the group width."""
        return [self._compatible(len(list(run)), width) for width, run in groupby(self._widths())]

    def _widths(self) -> Iterator[int]:
        """The width of each block: w_0 times a power of w_m near the line, rounded to the quantum.

        Torchvision calculates in single precision, which decides what a width halfway between two is rounded to.
        """
        for number in range(self.depth):
            width = _single(self.w_0 * _single(_single(self.w_m) ** self._capacity(number)))
            yield round(_single(width / QUANTUM)) * QUANTUM

    def _capacity(self, number: int) -> int:
        """The power of w_m that comes nearest to the line at a block."""
        line = _single(_single(number * _single(self.w_a)) + self.w_0)
        return round(_single(_single(math.log(_single(line / self.w_0))) / _single(math.log(self.w_m))))

    def _compatible(self, depth: int, width: int) -> Stage:
        inner = int(width * self.bottleneck_multiplier)
        group_width = min(self.group_width, inner)
        return Stage(depth, int(make_divisible(inner, group_width) / self.bottleneck_multiplier), group_width)

    def init_rules(self) -> list[Any]:
        std = "=sqrt(2 / (kernel_size[0] * kernel_size[1] * out_channels))"
        return [
            {"op": "conv2d", "weight": {"normal": {"std": std}}},
            {"op": "linear", "weight": {"normal": {"std": 0.01}}, "bias": 0},
        ]

    def origins(self) -> dict[str, tuple[str | int, ...]]:
        return {"stem": ("stem_width",), "trunk_output": ("group_width",)}


def _single(number: float) -> float:
    """A number in single precision.

    >>> _single(0.1)
    0.10000000149011612
    """
    return float(struct.unpack("f", struct.pack("f", number))[0])
