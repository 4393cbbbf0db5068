"""Transposed convolutions, which enlarge their input."""

from math import prod
from typing import TYPE_CHECKING, Any

from pydantic import Field

from archspec.ops.convolution import Convolution
from archspec.ops.fields import Pair, PositivePair, PositiveSingle, PositiveTriple, Single, Size, Triple, each, may_be
from archspec.ops.shapes import Shape, ShapeError, Unbatched, format_shape, numel, of_channels  # fmt: skip
from archspec.ops.window import Windows, transposed


class _Transposed(Convolution):
    """Base class of transposed convolutions: out = (in − 1) × stride − 2 × padding + dilation × (kernel_size − 1) +
    output_padding + 1."""

    if TYPE_CHECKING:
        padding: Any
        output_padding: Any

    def infer(self, *inputs: Shape) -> Shape:
        channels, *sizes = self._map(inputs[0])
        if channels % self.groups or self.out_channels % self.groups:
            raise ShapeError(f"{channels} → {self.out_channels} channels cannot be split into {self.groups} groups",
                             may_be("groups", channels, self.out_channels), "groups")  # fmt: skip
        given = (self.kernel_size, self.stride, self.padding, self.output_padding, self.dilation)
        parts = list(zip(sizes, *(each(number, self.rank) for number in given), strict=True))
        found = tuple((n - 1) * s - 2 * p + d * (k - 1) + extra + 1 for n, k, s, p, extra, d in parts)
        if min(found) < 1:
            raise ShapeError(f"the output of {format_shape(inputs[0])} would be empty: {format_shape(found)}",
                             "use less padding or a larger kernel", "padding")  # fmt: skip
        for _, _, step, _, extra, apart in parts:
            if extra >= max(step, apart):
                raise ShapeError(f"output_padding {extra} must be below stride {step} or dilation {apart}",
                                 f"it may be at most {max(step, apart) - 1}", "output_padding")  # fmt: skip
        return (Unbatched if type(inputs[0]) is Unbatched else of_channels)((self.out_channels, *found))

    @classmethod
    def _outputs(cls, weight: Any, groups: int) -> int:
        return int(weight.shape[1]) * groups

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        weight = (inputs[0][0], self.out_channels // self.groups, *each(self.kernel_size, self.rank))
        return {"weight": weight, **self._bias(self.bias)}

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:  # type: ignore[override]
        return numel(inputs[0]) * (self.out_channels // self.groups) * prod(each(self.kernel_size, self.rank))

    def windows(self, *inputs: Shape) -> Windows:
        given = (each(n, self.rank) for n in (self.kernel_size, self.stride, self.padding, self.dilation))
        axes = (transposed(dim, *axis) for dim, axis in enumerate(zip(*given, strict=True), 1))
        return ((self._channels(inputs[0]), *axes),)


class ConvTranspose2d(_Transposed):
    """Transposed 2-D convolution, `nn.ConvTranspose2d`: out = (in − 1) × stride − 2 × padding +
    dilation × (kernel_size − 1) + output_padding + 1."""

    kind = "conv_transpose2d"
    spelled = (
        "conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1)",
    )
    module = "nn.ConvTranspose2d"
    word = "transposed conv"

    kernel_size: PositivePair = Field(description="extent of the window, or [height, width]")
    stride: PositivePair = Field(1, description="step of the window")
    padding: Pair = Field(0, description="zeros added on each side")
    output_padding: Pair = Field(0, description="rows and columns added on one side of the output")
    groups: Size = Field(1, description="independent groups of channels")
    bias: bool = Field(True, description="whether a learned bias is added")
    dilation: PositivePair = Field(1, description="distance between the window's taps")


class ConvTranspose1d(_Transposed):
    """Transposed 1-D convolution of channels × length, `nn.ConvTranspose1d`."""

    kind = "conv_transpose1d"
    spelled = (
        "conv_transpose1d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1)",
    )
    module = "nn.ConvTranspose1d"
    word = "transposed conv1d"
    rank = 1

    kernel_size: PositiveSingle = Field(description="extent of the window")
    stride: PositiveSingle = Field(1, description="step of the window")
    padding: Single = Field(0, description="zeros added on each side")
    output_padding: Single = Field(0, description="positions added on one side of the output")
    groups: Size = Field(1, description="independent groups of channels")
    bias: bool = Field(True, description="whether a learned bias is added")
    dilation: PositiveSingle = Field(1, description="distance between the window's taps")


class ConvTranspose3d(_Transposed):
    """Transposed 3-D convolution of channels × depth × height × width, `nn.ConvTranspose3d`."""

    kind = "conv_transpose3d"
    spelled = (
        "conv_transpose3d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1)",
    )
    module = "nn.ConvTranspose3d"
    word = "transposed conv3d"
    rank = 3

    kernel_size: PositiveTriple = Field(description="extent of the window, or [depth, height, width]")
    stride: PositiveTriple = Field(1, description="step of the window")
    padding: Triple = Field(0, description="zeros added on each side")
    output_padding: Triple = Field(0, description="positions added on one side of the output")
    groups: Size = Field(1, description="independent groups of channels")
    bias: bool = Field(True, description="whether a learned bias is added")
    dilation: PositiveTriple = Field(1, description="distance between the window's taps")
