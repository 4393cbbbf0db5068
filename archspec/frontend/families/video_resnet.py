"""ResNets of video clips: Tran et al., "A Closer InputWindows at Spatiotemporal Convolutions for Action Recognition",
https://arxiv.org/abs/1711.11248."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, model_validator

from archspec.diagnostics.validation import field_error, field_errors
from archspec.frontend.families.base import FamilySpec, Item, item
from archspec.ops.fields import Size

_BLOCKS: Final[dict[str, dict[str, Any]]] = {
    "conv3d": {"block": "VideoBasicBlock"},
    "conv2d": {"block": "VideoBasicBlock", "frames": 1},
    "conv2plus1d": {"block": "R2Plus1dBlock"},
}
"""The block for each kind of convolution."""


class VideoResNet(FamilySpec):
    """A 7×7 stem and stages of residual blocks on clips of frames; each stage after the first halves height and width,
    and the number of frames if its convolutions span several."""

    sizes: ClassVar[str] = "channels, frames, height and width"

    family: Literal["video_resnet"]
    num_classes: Size = Field(400, description="number of classes: features of the last layer")
    stages: Annotated[list[Size], Field(min_length=1, max_length=16)] = Field(description="blocks in each stage")
    conv_makers: list[Literal["conv3d", "conv2d", "conv2plus1d"]] = Field(
        description="convolutions of each stage: 3×3×3, 1×3×3, or 1×3×3 and then 3×1×1"
    )
    stem: Literal["basic", "r2plus1d"] = Field("basic", description="3×7×7, or 1×7×7 and then 3×1×1")

    @model_validator(mode="after")
    def _one_each(self) -> VideoResNet:
        if len(self.conv_makers) != len(self.stages):
            reason = f"expected {len(self.stages)} values, one for each stage, got {len(self.conv_makers)}"
            raise field_errors(field_error(("conv_makers",), reason))
        return self

    def layers(self) -> list[Item]:
        return [
            {"stem": {"seq": self._stem()}},
            *self._stages(),
            item("avgpool", op="adaptive_avg_pool3d", output_size=1),
            {"op": "flatten"},
            item("fc", op="linear", out_features="=num_classes"),
        ]

    def _stem(self) -> list[Item]:
        if self.stem == "basic":
            return _conv(64, [3, 7, 7], [1, 2, 2])
        return [*_conv(45, [1, 7, 7], [1, 2, 2]), *_conv(64, [3, 1, 1], 1)]

    def _stages(self) -> Iterator[Item]:
        for number, (count, maker) in enumerate(zip(self.stages, self.conv_makers, strict=True)):
            block: Item = {**_BLOCKS[maker], "planes": 64 * 2**number}
            first = block if number == 0 else {**block, "stride": 2}
            rest = block if count == 2 else {**block, "repeat": count - 1}
            yield {f"layer{number + 1}": {"seq": [first, rest][: min(count, 2)]}}

    def init_rules(self) -> list[Any]:
        return [
            {"op": "conv3d", "weight": {"kaiming_normal": {"mode": "fan_out", "nonlinearity": "relu"}}},
            {"op": "linear", "weight": {"normal": {"std": 0.01}}, "bias": 0},
        ]

    def origins(self) -> dict[str, tuple[str | int, ...]]:
        return {f"layer{number + 1}": ("stages", number) for number in range(len(self.stages))}


def _conv(channels: int, kernel: list[int], stride: Any) -> list[Item]:
    """A convolution that keeps the size at stride 1, batch norm and ReLU."""
    moves = {} if stride == 1 else {"stride": stride}
    sizes = {"kernel_size": kernel, **moves, "padding": [size // 2 for size in kernel]}
    return [{"op": "conv3d", "out_channels": channels, **sizes, "bias": False}, {"op": "batch_norm3d"}, {"op": "relu"}]
