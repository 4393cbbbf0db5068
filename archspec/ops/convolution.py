"""Ops with a weight: convolutions and the linear layer."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, PlainValidator, model_validator

from archspec.diagnostics.validation import field_error, field_errors
from archspec.expressions.sizes import is_whole
from archspec.ops.base import (
    Argument,
    Op,
    Pair,
    PositivePair,
    Shape,
    ShapeError,
    Size,
    TooSmallError,
    Value,
    format_shape,
    may_be,
    numel,
    pair_of,
    require_map,
)  # fmt: skip
from archspec.ops.window import Looks, Unsaid, Window, same, sliding, transposed


class _Convolution(Op):
    """Base class of convolutions: fields, weight and constructor."""

    fresh = True
    role = "convolution"
    numbers = frozenset({"out_channels", "groups"})
    attributes = frozenset({"in_channels"})
    optional = frozenset({"bias"})
    vectors = frozenset({"bias"})

    out_channels: Size = Field(description="channels of the output")
    kernel_size: PositivePair = Field(description="extent of the window, or [height, width]")
    stride: PositivePair = Field(1, description="step of the window")
    padding: Pair = Field(0, description="zeros added on each side")

    if TYPE_CHECKING:
        groups: int

    def _bias(self, bias: bool) -> dict[str, Shape]:
        return {"bias": (self.out_channels,)} if bias else {}

    def _channels(self, shape: Shape) -> Window | Unsaid | None:
        """The channels of the input that an output channel depends on."""
        groups = self.groups
        if groups == 1:
            return None
        return Window(0) if groups == shape[0] == self.out_channels else Unsaid(0)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        channels, *others = super().constructor()
        return (Argument("in_channels", inputs[0][0], positional=True), channels._replace(positional=True), *others)


class Conv2d(_Convolution):
    """2-D convolution, `nn.Conv2d`: out = ⌊(in + 2 × padding − dilation × (kernel_size − 1) − 1) / stride⌋ + 1."""

    kind = "conv2d"
    module = "nn.Conv2d"
    word = "conv"

    dilation: PositivePair = Field(1, description="distance between the window's taps")
    groups: Size = Field(1, description="independent groups of channels; equal to in_channels for a depthwise conv")
    bias: bool = Field(True, description="whether a learned bias is added")

    def infer(self, *inputs: Shape) -> Shape:
        channels, *size = require_map(inputs[0], "conv2d")
        for name, count in (("input", channels), ("output", self.out_channels)):
            if count % self.groups:
                raise ShapeError(f"{count} {name} channels cannot be split into {self.groups} groups",
                                 may_be("groups", channels, self.out_channels), "groups")  # fmt: skip
        height, width = slide(size, self.kernel_size, self.stride, self.padding, self.dilation)
        return (self.out_channels, height, width)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        weight = (self.out_channels, inputs[0][0] // self.groups, *pair_of(self.kernel_size))
        return {"weight": weight, **self._bias(self.bias)}

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:  # type: ignore[override]
        return numel(output) * (int(inputs[0][0]) // self.groups) * numel(pair_of(self.kernel_size))

    def looks(self, *inputs: Shape) -> Looks:
        return ((self._channels(inputs[0]), *slid(self.kernel_size, self.stride, self.padding, self.dilation)),)


class ConvTranspose2d(_Convolution):
    """Transposed 2-D convolution, `nn.ConvTranspose2d`: out = (in − 1) × stride − 2 × padding +
    dilation × (kernel_size − 1) + output_padding + 1."""

    kind = "conv_transpose2d"
    module = "nn.ConvTranspose2d"
    word = "transposed conv"

    output_padding: Pair = Field(0, description="rows and columns added on one side of the output")
    groups: Size = Field(1, description="independent groups of channels")
    bias: bool = Field(True, description="whether a learned bias is added")
    dilation: PositivePair = Field(1, description="distance between the window's taps")

    def infer(self, *inputs: Shape) -> Shape:
        channels, *size = require_map(inputs[0], "conv_transpose2d")
        if channels % self.groups or self.out_channels % self.groups:
            raise ShapeError(f"{channels} → {self.out_channels} channels cannot be split into {self.groups} groups",
                             may_be("groups", channels, self.out_channels), "groups")  # fmt: skip
        parts = zip(size, *map(pair_of, (self.kernel_size, self.stride, self.padding, self.output_padding,
                                         self.dilation)), strict=True)  # fmt: skip
        height, width = ((n - 1) * s - 2 * p + d * (k - 1) + extra + 1 for n, k, s, p, extra, d in parts)
        if min(height, width) < 1:
            raise ShapeError(f"the output of {format_shape(inputs[0])} would be empty: {height}×{width}",
                             "use less padding or a larger kernel", "padding")  # fmt: skip
        for extra, step, apart in zip(*map(pair_of, (self.output_padding, self.stride, self.dilation)), strict=True):
            if extra >= max(step, apart):
                raise ShapeError(f"output_padding {extra} must be below stride {step} or dilation {apart}",
                                 f"it may be at most {max(step, apart) - 1}", "output_padding")  # fmt: skip
        return (self.out_channels, height, width)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        weight = (inputs[0][0], self.out_channels // self.groups, *pair_of(self.kernel_size))
        return {"weight": weight, **self._bias(self.bias)}

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:  # type: ignore[override]
        return numel(inputs[0]) * (self.out_channels // self.groups) * numel(pair_of(self.kernel_size))

    def looks(self, *inputs: Shape) -> Looks:
        sizes = map(pair_of, (self.kernel_size, self.stride, self.padding, self.dilation))
        rows, columns = (transposed(dim, *size) for dim, size in enumerate(zip(*sizes, strict=True), 1))
        return ((self._channels(inputs[0]), rows, columns),)


def _ends(value: Any) -> tuple[int, int]:
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(map(is_whole, value)):
        raise ValueError(f"expected [start, stop], got {value!r:.60}")
    return (value[0], value[1])


Ends = Annotated[tuple[int, int], PlainValidator(_ends, json_schema_input_type=Annotated[list[int], Field(
    min_length=2, max_length=2)])]  # fmt: skip
"""A part of a dimension: the first position, and the first behind it."""


class Linear(Op):
    """Fully connected layer on the last dimension, `nn.Linear`."""

    kind = "linear"
    module = "nn.Linear"
    helpers = ("archspec.backends.torch.linear:PartlyBiasedLinear",)
    needs_batch = False
    fresh = True
    role = "linear"
    shown = ("out_features",)
    numbers = frozenset({"out_features"})
    attributes = frozenset({"in_features"})
    vectors = frozenset({"bias"})

    out_features: Size = Field(description="features of the output")
    bias: bool = Field(True, description="whether a learned bias is added")
    zero_bias: Ends | None = Field(
        None, description="the features from start to before stop get no bias, whatever it holds for them"
    )

    @model_validator(mode="after")
    def _zero_bias_fits(self) -> "Linear":
        if self.zero_bias is not None and not self.bias:
            raise ValueError("zero_bias is for part of a bias, and there is none")
        if self.zero_bias is not None and not 0 <= self.zero_bias[0] < self.zero_bias[1] <= self.out_features:
            start, stop = map(int, self.zero_bias)
            raise field_errors(field_error(("zero_bias",), f"expected part of the features 0 to "
                                           f"{int(self.out_features)}, got [{start}, {stop}]"))  # fmt: skip
        return self

    def made_by(self) -> str:
        return "nn.Linear" if self.zero_bias is None else "PartlyBiasedLinear"

    def infer(self, *inputs: Shape) -> Shape:
        if len(inputs[0]) == 3 and type(inputs[0]) is tuple:
            raise ShapeError(f"linear would act on the width of {format_shape(inputs[0])} only",
                             help="put {op: flatten} before it")  # fmt: skip
        return type(inputs[0])((*inputs[0][:-1], self.out_features))

    def may_be_overwritten(self, output: Value) -> bool:
        return len(output) == 1 and type(output) is tuple  # of more dimensions torch makes one, and yields a view

    def looks(self, *inputs: Shape) -> Looks:
        return ((*same(len(inputs[0]) - 1), None),)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        weight = (self.out_features, inputs[0][-1])
        return {"weight": weight, "bias": (self.out_features,)} if self.bias else {"weight": weight}

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:  # type: ignore[override]
        return numel(inputs[0]) * int(self.out_features)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (
            Argument("in_features", inputs[0][-1], positional=True),
            self.argument("out_features", positional=True),
            self.argument("bias") if self.zero_bias is None else self.argument("zero_bias"),
        )


PairLike = int | tuple[int, int]


def slide(
    size: list[int], kernel: PairLike, stride: PairLike, padding: PairLike = 0, dilation: PairLike = 1,
    ceil_mode: bool = False,
) -> tuple[int, int]:  # fmt: skip
    """(height, width) after a window has slid over a feature map: torch's rule for convolutions and pools.

    With `ceil_mode` a window may hang over the end, but must begin inside the feature map or the padding before it.
    """
    kernels, strides, paddings, dilations = map(pair_of, (kernel, stride, padding, dilation))
    height, width = (
        _slide(size[axis], kernels[axis], strides[axis], paddings[axis], dilations[axis], ceil_mode) for axis in (0, 1)
    )
    return height, width


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


def slid(kernel: PairLike, stride: PairLike, padding: PairLike, dilation: PairLike = 1) -> tuple[Window, Window]:
    """The rows and columns that a position of a convolution's or pool's output depends on."""
    (k0, k1), (s0, s1), (p0, p1), (d0, d1) = map(pair_of, (kernel, stride, padding, dilation))
    return sliding(1, k0, s0, p0, d0), sliding(2, k1, s1, p1, d1)
