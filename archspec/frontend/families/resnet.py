"""ResNet, ResNeXt and wide ResNet: He et al., https://arxiv.org/abs/1512.03385; Xie et al.,
https://arxiv.org/abs/1611.05431; Zagoruyko & Komodakis, https://arxiv.org/abs/1605.07146."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from archspec.diagnostics.diagnostic import Diagnostic
from archspec.diagnostics.validation import field_error, field_errors
from archspec.frontend.families.base import FamilySpec, Item, item
from archspec.ops.fields import Size

_BLOCKS = {"basic": "BasicBlock", "bottleneck": "Bottleneck"}


class ResNet(FamilySpec):
    """A 7×7 stem and stages of residual blocks; each stage after the first halves the size and doubles the planes."""

    family: Literal["resnet"]
    block: Literal["basic", "bottleneck"] = Field(description="kind of residual block")
    stages: Annotated[list[Size], Field(min_length=1, max_length=16)] = Field(description="blocks in each stage")
    groups: Size = Field(1, description="groups of the 3×3 convolutions (ResNeXt's cardinality)")
    width_per_group: Size = Field(64, description="channels per group at 64 planes")
    replace_stride_with_dilation: list[bool] | None = Field(
        None, description="for each stage after the first: dilation in place of stride"
    )
    zero_init_residual: bool = Field(False, description="start each block as the identity: its last norm's weight is 0")
    include_top: bool = Field(
        True, description="pooling and the classifier; without them the last feature map is the output"
    )
    avgpool: Size | None = Field(None, description="kernel of a fixed average pool; adaptive pooling if not given")

    @model_validator(mode="after")
    def _consistent(self) -> ResNet:
        if errors := [*self._not_for_basic(), *self._wrong_dilation()]:
            raise field_errors(*errors)
        return self

    def _not_for_basic(self) -> Iterator[Diagnostic]:
        if self.block == "basic":
            help = "use block: bottleneck"
            if self.groups != 1:
                yield field_error(("groups",), "basic blocks have no groups", help)
            if self.width_per_group != 64:
                yield field_error(("width_per_group",), "basic blocks have a fixed width", help)
            if any(self.replace_stride_with_dilation or ()):
                yield field_error(("replace_stride_with_dilation",), "basic blocks cannot be dilated", help)

    def _wrong_dilation(self) -> Iterator[Diagnostic]:
        dilate, wanted = self.replace_stride_with_dilation, len(self.stages) - 1
        if dilate is not None and len(dilate) != wanted:
            reason = f"expected {wanted} values, one for each stage but the first, got {len(dilate)}"
            yield field_error(("replace_stride_with_dilation",), reason)

    def layers(self) -> list[Item]:
        return [
            item("conv1", op="conv2d", out_channels=64, kernel_size=7, stride=2, padding=3, bias=False),
            item("bn1", op="batch_norm2d"),
            item("relu", op="relu"),
            item("maxpool", op="max_pool2d", kernel_size=3, stride=2, padding=1),
            *self._stages(),
            *(self._top() if self.include_top else []),
        ]

    def _top(self) -> list[Item]:
        pool = item("avgpool", op="adaptive_avg_pool2d", output_size=1)
        if self.avgpool is not None:
            pool = item("avgpool", op="avg_pool2d", kernel_size=self.avgpool, stride=1)
        return [pool, {"op": "flatten"}, item("fc", op="linear", out_features="=num_classes")]

    def _stages(self) -> Iterator[Item]:
        dilation = 1
        dilate = [False, *(self.replace_stride_with_dilation or [False] * (len(self.stages) - 1))]
        for number, count in enumerate(self.stages):
            before, stride = dilation, 1 if number == 0 else 2
            if dilate[number]:
                dilation, stride = dilation * stride, 1
            first = self._block(number, stride=stride, dilation=before)
            rest = self._block(number, repeat=count - 1, stride=1, dilation=dilation)
            yield {f"layer{number + 1}": {"seq": [first, rest][: min(count, 2)]}}

    def _block(self, stage: int, stride: int, dilation: int, repeat: int = 1) -> Item:
        settings: list[tuple[str, Any, Any]] = [
            ("repeat", repeat, 1), ("stride", stride, 1), ("groups", self.groups, 1),
            ("base_width", self.width_per_group, 64), ("dilation", dilation, 1),
            ("zero_init", self.zero_init_residual, False),
        ]  # fmt: skip
        given = {name: value for name, value, default in settings if value != default}
        return {"block": _BLOCKS[self.block], "planes": 64 * 2**stage, **given}

    def init_rules(self) -> list[Any]:
        return [{"op": "conv2d", "weight": {"kaiming_normal": {"mode": "fan_out", "nonlinearity": "relu"}}}]

    def origins(self) -> dict[str, tuple[str | int, ...]]:
        stages = {f"layer{number + 1}": ("stages", number) for number in range(len(self.stages))}
        return {**stages, "avgpool": ("avgpool",)} if self.avgpool is not None else {**stages}
