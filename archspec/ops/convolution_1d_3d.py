"""Convolutions of values with one axis (sound, text) or three (video, volumes)."""

from pydantic import Field

from archspec.ops.convolution import PaddingMode, Sliding
from archspec.ops.fields import Padding1, Padding3, PositiveSingle, PositiveTriple, Size


class Conv1d(Sliding):
    """1-D convolution of channels × length, `nn.Conv1d`, with the sizes of `conv2d`."""

    kind = "conv1d"
    spelled = ("conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1)",)
    module = "nn.Conv1d"
    rank = 1

    kernel_size: PositiveSingle = Field(description="extent of the window")
    stride: PositiveSingle = Field(1, description="step of the window")
    padding: Padding1 = Field(0, description="zeros added on each side; same: as many as keep the size, valid: none")
    dilation: PositiveSingle = Field(1, description="distance between the window's taps")
    groups: Size = Field(1, description="independent groups of channels; equal to in_channels for a depthwise conv")
    bias: bool = Field(True, description="whether a learned bias is added")
    padding_mode: PaddingMode = Field("zeros", description="what padding holds: zeros, or positions of the input")


class Conv3d(Sliding):
    """3-D convolution of channels × depth × height × width, `nn.Conv3d`, with the sizes of `conv2d`."""

    kind = "conv3d"
    spelled = ("conv3d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1)",)
    module = "nn.Conv3d"
    rank = 3

    kernel_size: PositiveTriple = Field(description="extent of the window, or [depth, height, width]")
    stride: PositiveTriple = Field(1, description="step of the window")
    padding: Padding3 = Field(0, description="zeros added on each side; same: as many as keep the size, valid: none")
    dilation: PositiveTriple = Field(1, description="distance between the window's taps")
    groups: Size = Field(1, description="independent groups of channels; equal to in_channels for a depthwise conv")
    bias: bool = Field(True, description="whether a learned bias is added")
    padding_mode: PaddingMode = Field("zeros", description="what padding holds: zeros, or positions of the input")
