"""ShuffleNet V2: Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design",
https://arxiv.org/abs/1807.11164."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from archspec.diagnostics.validation import field_error, field_errors
from archspec.frontend.families.base import FamilySpec, Item, item
from archspec.ops.fields import Size


class ShuffleNetV2(FamilySpec):
    """A stem, stages of shuffle units, the first of which halves the size, and a last 1×1 convolution."""

    family: Literal["shufflenet_v2"]
    stages_repeats: Annotated[list[Size], Field(min_length=1, max_length=16)] = Field(description="units in each stage")
    stages_out_channels: Annotated[list[Size], Field(min_length=3, max_length=18)] = Field(
        description="channels of the stem, of each stage, and of the last convolution"
    )

    @model_validator(mode="after")
    def _consistent(self) -> ShuffleNetV2:
        wanted = len(self.stages_repeats) + 2
        if len(self.stages_out_channels) != wanted:
            got = len(self.stages_out_channels)
            reason = f"expected {wanted} values, for the stem, each stage and the last convolution, got {got}"
            raise field_errors(field_error(("stages_out_channels",), reason))
        odd = [n for n in range(1, wanted - 1) if self.stages_out_channels[n] % 2]
        if odd:
            reason = "a stage needs an even number of channels: its units work on halves"
            raise field_errors(*(field_error(("stages_out_channels", number), reason) for number in odd))
        return self

    def layers(self) -> list[Item]:
        first, last = self.stages_out_channels[0], self.stages_out_channels[-1]
        return [
            _conv("conv1", out_channels=first, kernel_size=3, stride=2, padding=1),
            item("maxpool", op="max_pool2d", kernel_size=3, stride=2, padding=1),
            *self._stages(),
            _conv(f"conv{len(self.stages_repeats) + 2}", out_channels=last, kernel_size=1),
            {"op": "mean", "dim": [2, 3]},
            item("fc", op="linear", out_features="=num_classes"),
        ]

    def _stages(self) -> Iterator[Item]:
        for number, count in enumerate(self.stages_repeats):
            units: list[Item] = [{"block": "ShuffleUnitDown", "out_channels": self.stages_out_channels[number + 1]}]
            if count > 1:
                units.append({"block": "ShuffleUnit", "repeat": count - 1})
            yield {f"stage{number + 2}": {"seq": units}}

    def origins(self) -> dict[str, tuple[str | int, ...]]:
        return {f"stage{number + 2}": ("stages_out_channels", number + 1) for number in range(len(self.stages_repeats))}


def _conv(name: str, **settings: Any) -> Item:
    """A convolution with batch norm and ReLU, as a seq."""
    return {name: {"seq": [{"op": "conv2d", **settings, "bias": False}, {"op": "batch_norm2d"}, {"op": "relu"}]}}
