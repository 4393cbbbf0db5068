"""Convolutions of feature maps, and the rules for sliding windows, shared with other numbers of axes."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from archspec.ops.base import Op
from archspec.ops.call import Argument
from archspec.ops.fields import Padding2, PositivePair, Size, each, may_be
from archspec.ops.shapes import (  # fmt: skip
    MAPS,
    Shape,
    ShapeError,
    TooSmallError,
    Unbatched,
    format_shape,
    numel,
    of_channels,
    require_map,
)
from archspec.ops.window import UnknownWindow, Window, Windows, sliding

Numbers = int | tuple[int, ...]
"""A number for all axes, or one for each."""


_SIZES: Final = ("kernel_size", "stride", "padding", "dilation", "output_padding")
"""What torch's modules keep as one number for each axis."""


class Convolution(Op):
    """Base class of convolutions: fields, weight and constructor."""

    needs_batch = False
    fresh = True
    role = "convolution"
    numbers = frozenset({"out_channels", "groups"})
    attributes = frozenset({"in_channels"})
    optional = frozenset({"bias"})
    vectors = frozenset({"bias"})

    out_channels: Size = Field(description="channels of the output")

    if TYPE_CHECKING:
        kernel_size: Any
        stride: Any
        dilation: Any
        groups: int
        bias: bool

    def _map(self, shape: Shape) -> Shape:
        """Check the shape of the input, which may have a batch or not."""
        if type(shape) is Unbatched and len(shape) != self.rank + 1:
            raise ShapeError(f"{self.kind} expects {MAPS[self.rank]} of a value without a batch, "
                             f"got {format_shape(shape)}")  # fmt: skip
        return require_map(shape, self.kind, self.rank)

    def _bias(self, bias: bool) -> dict[str, Shape]:
        return {"bias": (self.out_channels,)} if bias else {}

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        weight = given["weight"]
        sizes = {"out_channels": cls._outputs(weight, given["groups"]), "kernel_size": tuple(weight.shape[2:])}
        return {**super().of_call(given), **sizes, "bias": given["bias"] is not None}

    @classmethod
    def _outputs(cls, weight: Any, groups: int) -> int:
        """The channels of the output that a weight makes."""
        return int(weight.shape[0])

    def _channels(self, shape: Shape) -> Window | UnknownWindow | None:
        """The channels of the input that an output channel depends on."""
        groups = self.groups
        if groups == 1:
            return None
        return Window(0) if groups == shape[0] == self.out_channels else UnknownWindow(0)

    def attribute_values(self, *inputs: Shape) -> dict[str, Any]:
        values = super().attribute_values(*inputs)
        return {name: each(value, self.rank) if name in _SIZES and not isinstance(value, str) else value
                for name, value in values.items()}  # fmt: skip

    def may_be_overwritten(self, output: Any) -> bool:
        return type(output) is not Unbatched  # without a batch torch adds one, and returns a view

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        channels, *others = super().constructor()
        return (Argument("in_channels", inputs[0][0], positional=True), channels._replace(positional=True), *others)


class Sliding(Convolution):
    """A convolution whose window slides over the input."""

    if TYPE_CHECKING:
        padding: Any
        padding_mode: str

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        require_step_of_one(self.padding, self.stride, self.rank)
        return self

    def _padding(self) -> tuple[tuple[int, int], ...]:
        """The positions added before and after each axis."""
        if not isinstance(self.padding, str):
            return tuple((number, number) for number in each(self.padding, self.rank))
        if self.padding == "valid":
            return ((0, 0),) * self.rank
        kernels, dilations = each(self.kernel_size, self.rank), each(self.dilation, self.rank)
        more = [apart * (kernel - 1) for kernel, apart in zip(kernels, dilations, strict=True)]
        return tuple((number // 2, number - number // 2) for number in more)

    def infer(self, *inputs: Shape) -> Shape:
        channels, *sizes = self._map(inputs[0])
        for name, count in (("input", channels), ("output", self.out_channels)):
            if count % self.groups:
                raise ShapeError(f"{count} {name} channels cannot be split into {self.groups} groups",
                                 may_be("groups", channels, self.out_channels), "groups")  # fmt: skip
        self._check_mode(sizes)
        like = Unbatched if type(inputs[0]) is Unbatched else of_channels
        if self.padding == "same":
            return like((self.out_channels, *sizes))
        padding = 0 if self.padding == "valid" else self.padding
        return like((self.out_channels, *slide(sizes, self.kernel_size, self.stride, padding, self.dilation)))

    def _check_mode(self, sizes: Sequence[int]) -> None:
        """Raise `ShapeError` if the padding repeats more positions than the input has."""
        if self.padding_mode not in ("reflect", "circular"):
            return
        for size, sides in zip(sizes, self._padding(), strict=True):
            most = int(size) - (self.padding_mode == "reflect")
            if max(sides) > most:
                raise ShapeError(f"padding_mode {self.padding_mode} cannot pad {int(size)} positions by {max(sides)}",
                                 f"it may be at most {most}", "padding")  # fmt: skip

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        weight = (self.out_channels, inputs[0][0] // self.groups, *each(self.kernel_size, self.rank))
        return {"weight": weight, **self._bias(self.bias)}

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:  # type: ignore[override]
        return numel(output) * (int(inputs[0][0]) // self.groups) * prod(each(self.kernel_size, self.rank))

    def windows(self, *inputs: Shape) -> Windows:
        kernels, strides, dilations = (each(n, self.rank) for n in (self.kernel_size, self.stride, self.dilation))
        axes = zip(kernels, strides, self._padding(), dilations, strict=True)
        return ((self._channels(inputs[0]), *(self._window(dim, *axis) for dim, axis in enumerate(axes, 1))),)

    def _window(
        self, dim: int, kernel: int, stride: int, sides: tuple[int, int], dilation: int
    ) -> Window | UnknownWindow:
        if self.padding_mode != "zeros" and any(sides):
            return UnknownWindow(dim)
        return sliding(dim, kernel, stride, sides[0], dilation)


def require_step_of_one(padding: Any, stride: Numbers, rank: int) -> None:
    """Raise `ValueError` if the padding is to keep the size, and the window's step is not 1."""
    if padding == "same" and set(each(stride, rank)) != {1}:
        raise ValueError("padding: same requires stride: 1")


PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]


class Conv2d(Sliding):
    """2-D convolution, `nn.Conv2d`: out = ⌊(in + 2 × padding − dilation × (kernel_size − 1) − 1) / stride⌋ + 1."""

    kind = "conv2d"
    spelled = ("conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1)",)
    module = "nn.Conv2d"
    word = "conv"

    kernel_size: PositivePair = Field(description="extent of the window, or [height, width]")
    stride: PositivePair = Field(1, description="step of the window")
    padding: Padding2 = Field(0, description="zeros added on each side; same: as many as keep the size, valid: none")
    dilation: PositivePair = Field(1, description="distance between the window's taps")
    groups: Size = Field(1, description="independent groups of channels; equal to in_channels for a depthwise conv")
    bias: bool = Field(True, description="whether a learned bias is added")
    padding_mode: PaddingMode = Field("zeros", description="what padding holds: zeros, or positions of the input")


def slide(
    sizes: Sequence[int], kernel: Numbers, stride: Numbers, padding: Numbers = 0, dilation: Numbers = 1,
    ceil_mode: bool = False,
) -> tuple[int, ...]:  # fmt: skip
    """The sizes after a window has slid over a feature map: torch's rule for convolutions and pools.

    With `ceil_mode` a window may extend beyond the end, but must begin inside the feature map or the padding before it.
    """
    given = (each(number, len(sizes)) for number in (kernel, stride, padding, dilation))
    return tuple(_slide(*axis, ceil_mode) for axis in zip(sizes, *given, strict=True))  # type: ignore[call-arg]


def _slide(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    spare = stride - 1 if ceil_mode else 0
    if room + spare < 0:
        reach = dilation * (kernel - 1) + 1
        raise TooSmallError(
            f"a window of {reach} does not fit into {size}" + (f" + 2 × {padding} of padding" if padding else ""),
            f"the input must be at least {reach - 2 * padding - spare} here: use a smaller kernel, more padding, "
            f"or smaller strides before it",
            "kernel_size",
        )
    if not ceil_mode:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count


def slid(
    kernel: Numbers, stride: Numbers, padding: Numbers, dilation: Numbers = 1, rank: int = 2
) -> tuple[Window, ...]:
    """The windows of rows, columns, … that a position of a pool's output depends on."""
    given = (each(number, rank) for number in (kernel, stride, padding, dilation))
    return tuple(sliding(dim, *axis) for dim, axis in enumerate(zip(*given, strict=True), 1))
