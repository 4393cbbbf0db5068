"""Ops that join, split or rearrange values without parameters."""

import math
from typing import ClassVar

from pydantic import Field

from archspec.ops.base import (
    ALL_INPUTS,
    Argument,
    Call,
    ChannelsLast,
    Input,
    Op,
    Shape,
    ShapeError,
    Size,
    Unbatched,
    Value,
    format_shape,
    may_be,
    require_map,
)  # fmt: skip
from archspec.ops.window import Fold, Looks, Part, Window, same, spread, without


class _Elementwise(Op):
    """Two values of one shape, combined element by element. Only parameters are broadcast, over the samples."""

    arity = (2, 2)
    elementwise = True
    inplace = True
    exact_in_place = True
    fresh = True
    role = "join"
    verb: ClassVar[str]

    def infer(self, *inputs: Shape) -> Shape:
        left, right = inputs
        if isinstance(left, Unbatched) != isinstance(right, Unbatched):
            return self._applied(left, right) if isinstance(right, Unbatched) else self._applied(right, left)
        if left != right:
            raise ShapeError(self._unlike(left, right), help=_align(*inputs))
        return left

    def _applied(self, value: Shape, parameter: Shape) -> Shape:
        """The shape of a value after a parameter, which has no batch, was applied to each sample."""
        sizes = (*[1] * (1 + len(value) - len(parameter)), *parameter)  # that of the batch first
        own = (1, *value)
        if len(sizes) != len(own) or any(size not in (1, most) for size, most in zip(sizes, own, strict=True)):
            help = "each size of the parameter is 1 or the value's, aligned at the last dimension"
            raise ShapeError(self._unlike(value, parameter), help)
        if len(parameter) == 1 < parameter[0] and len(value) == 3 and not isinstance(value, ChannelsLast):
            raise ShapeError(f"{self._unlike(value, parameter)}: it would act on the width",
                             f"for one number per channel, write shape: [{value[0]}, 1, 1]")  # fmt: skip
        return value

    def _unlike(self, left: Shape, right: Shape) -> str:
        return f"cannot {self.verb} {format_shape(left)} and {format_shape(right)}"

    def looks(self, *inputs: Shape) -> Looks:
        output = self.infer(*inputs)
        return tuple(spread(shape, output) for shape in inputs)

    def function(self, *inputs: Shape) -> Call:
        return Call(f"operator.{self.kind}", (Input(0), Input(1)))


class Add(_Elementwise):
    """The sum of two values, `x + y`."""

    kind = "add"
    verb: ClassVar[str] = "add"


class Sub(_Elementwise):
    """The difference of two values, `x - y`."""

    kind = "sub"
    verb: ClassVar[str] = "subtract"


class Mul(_Elementwise):
    """The product of two values of one shape, or of a feature map and a factor per channel (c × 1 × 1), `x * y`."""

    kind = "mul"
    inplace = False
    exact_in_place = False
    fresh = False
    verb: ClassVar[str] = "multiply"

    def infer(self, *inputs: Shape) -> Shape:
        left, right = inputs
        alike = isinstance(left, Unbatched) == isinstance(right, Unbatched)
        for scale, other in ((left, right), (right, left)):
            if len(scale) == 3 and scale[1:] == (1, 1) and len(other) == 3 and scale[0] == other[0]:
                return other if alike else _batched(other)
            if alike and len(scale) == 3 and scale[1:] == (1, 1) and len(other) == 3:
                raise ShapeError(self._unlike(left, right),
                                 f"one factor per channel would be {other[0]} factors, not {scale[0]}")  # fmt: skip
        return super().infer(*inputs)


def _batched(shape: Shape) -> Shape:
    """The shape with a batch."""
    return tuple(shape) if isinstance(shape, Unbatched) else shape


class Cat(Op):
    """Concatenates values along their channels, `torch.cat`."""

    kind = "cat"
    word = "concat"
    concatenates = True
    arity = (1, None)
    fresh = True
    role = "join"

    def infer(self, *inputs: Shape) -> Shape:
        first = inputs[0]
        for other in inputs[1:]:
            if other[1:] != first[1:] or len(other) != len(first):
                help = _align(first, other) if len(first) == len(other) else "flatten both or neither"
                raise ShapeError(f"cannot concatenate {format_shape(first)} and {format_shape(other)}",
                                 help or "all dimensions but the channels must agree")  # fmt: skip
        sizes = (sum(shape[0] for shape in inputs), *first[1:])
        return ChannelsLast(sizes) if all(isinstance(shape, ChannelsLast) for shape in inputs) else sizes

    def looks(self, *inputs: Shape) -> Looks:
        return (without(len(inputs[0]), Fold((0,), moved=True)),) * len(inputs)

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.cat", (ALL_INPUTS,), {"dim": 1})


class Chunk(Op):
    """Splits a value into equal parts along its channels, `torch.chunk`; their names are `name.0`, `name.1`, …"""

    kind = "chunk"
    view = True
    role = "join"

    chunks: Size = Field(le=1024, description="number of parts; must divide the channels")

    def infer(self, *inputs: Shape) -> Value:
        channels, *rest = inputs[0]
        if channels % self.chunks:
            raise ShapeError(f"{channels} channels cannot be split into {self.chunks} equal parts",
                             may_be("chunks", channels), "chunks")  # fmt: skip
        return (type(inputs[0])((channels // self.chunks, *rest)),) * self.chunks

    def looks(self, *inputs: Shape) -> list[Looks]:
        size, rest = int(inputs[0][0]) // self.chunks, same(len(inputs[0]))[1:]
        starts = range(0, size * self.chunks, size)
        return [((Part(0, start), *rest),) for start in starts]

    def function(self, *inputs: Shape) -> Call:
        return Call("Tensor.chunk", (Input(0), self.chunks), {"dim": 1})


class Flatten(Op):
    """All dimensions but the batch in one, `nn.Flatten`, or `torch.flatten(x, 1)` if the item has no name."""

    kind = "flatten"
    module = "nn.Flatten"
    view = True
    flattens = True
    role = "shape"

    def infer(self, *inputs: Shape) -> Shape:
        sizes = [size for size in inputs[0] if type(size) is not int or size != 1]  # a named size may be 1 only here
        return (math.prod(sizes) if sizes else 1,)

    def looks(self, *inputs: Shape) -> Looks:
        return ((Fold(tuple(range(len(inputs[0])))),),)

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.flatten", (Input(0), 1))


class Identity(Op):
    """The value itself, `nn.Identity`."""

    kind = "identity"
    module = "nn.Identity"
    elementwise = True
    view = True
    role = "shape"


class Permute(Op):
    """Dimensions in another order, `Tensor.permute`; dimension 0 is the batch and stays first."""

    kind = "permute"
    module = "Permute"
    helpers = ("archspec.backends.torch.helpers:Permute",)
    view = True
    role = "shape"

    dims: list[int] = Field(min_length=2, max_length=4, description="the old dimension at each new place, from 0")

    def infer(self, *inputs: Shape) -> Shape:
        shape = inputs[0]
        if self.dims[0] != 0 or sorted(self.dims) != list(range(len(shape) + 1)):
            message = (
                f"expected an order of the dimensions 0 to {len(shape)} that begins with 0, the batch, got {self.dims}"
            )
            raise ShapeError(message, "for channels last, write [0, 2, 3, 1]" if len(shape) == 3 else "", "dims")
        moved = tuple(shape[dim - 1] for dim in self.dims[1:])
        channels = 3 if isinstance(shape, ChannelsLast) else 1
        last = len(shape) == 3 and self.dims[-1] == channels
        return ChannelsLast(moved) if last else moved

    def looks(self, *inputs: Shape) -> Looks:
        return (tuple(Window(dim - 1) for dim in self.dims[1:]),)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (Argument("dims", tuple(self.dims), positional=True),)

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.permute", (Input(0), tuple(self.dims)))


class Parameter(Op):
    """A trainable tensor of the block itself, `nn.Parameter`, under the item's name; it takes no input.

    It has no batch dimension; in `add`, `sub` and `mul` it applies to every sample.
    """

    kind = "parameter"
    raw = True
    arity = (0, 0)
    numbers = frozenset({"shape", "value"})

    shape: list[Size] = Field(min_length=1, max_length=4, description="sizes of the tensor")
    value: float = Field(0.0, description="initial value of its elements")

    def infer(self, *inputs: Shape) -> Shape:
        return Unbatched(self.shape)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"": tuple(self.shape)}

    def looks(self, *inputs: Shape) -> Looks:
        return ()

    def first_value(self) -> float:
        return self.value


class ChannelAffine(Op):
    """Scales and shifts each channel by a fixed number: x[:, c] × scale[c] + shift[c]."""

    kind = "channel_affine"
    helpers = ("archspec.backends.torch.helpers:channel_affine",)
    fresh = True
    role = "norm"

    scale: list[float] = Field(min_length=1, max_length=1024, description="one factor per channel")
    shift: list[float] = Field(min_length=1, max_length=1024, description="one offset per channel")

    def infer(self, *inputs: Shape) -> Shape:
        channels, *_ = require_map(inputs[0], "channel_affine")
        for name in ("scale", "shift"):
            if len(getattr(self, name)) != channels:
                raise ShapeError(f"{name} has {len(getattr(self, name))} numbers for {channels} channels",
                                 "write one per channel", name)  # fmt: skip
        return inputs[0]

    def looks(self, *inputs: Shape) -> Looks:
        return (same(3),)

    def function(self, *inputs: Shape) -> Call:
        return Call("channel_affine", (Input(0), list(self.scale), list(self.shift)))


class ChannelShuffle(Op):
    """Interleaves groups of channels, `nn.ChannelShuffle` (ShuffleNet, https://arxiv.org/abs/1707.01083)."""

    kind = "channel_shuffle"
    module = "nn.ChannelShuffle"
    role = "shape"
    numbers = frozenset({"groups"})

    groups: Size = Field(description="number of groups; must divide the channels")

    def infer(self, *inputs: Shape) -> Shape:
        channels, *_ = require_map(inputs[0], "channel_shuffle")
        if channels % self.groups:
            raise ShapeError(f"{channels} channels cannot be split into {self.groups} groups",
                             may_be("groups", channels), "groups")  # fmt: skip
        return inputs[0]

    def looks(self, *inputs: Shape) -> Looks:
        return (without(3, Fold((0,), moved=True)),)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (self.argument("groups", positional=True),)

    def function(self, *inputs: Shape) -> Call:
        return Call("F.channel_shuffle", (Input(0), self.groups))


def _align(left: Shape, right: Shape) -> str:
    """Help for two feature maps of different sizes."""
    if len(left) != 3 or len(right) != 3 or left[1:] == right[1:]:
        return "their channels must agree" if left[:1] != right[:1] else ""
    big, small = (left, right) if left[1] >= right[1] else (right, left)
    factor = round(big[1] / small[1])
    fits = factor > 1 and -(-big[1] // factor) == small[1] and -(-big[2] // factor) == small[2]
    if fits:
        return f"multiply the stride of the path to {format_shape(big)} by {factor}"
    return _pad(big[1] - small[1], big[2] - small[2], small)


def _pad(rows: int, columns: int, small: Shape) -> str:
    """Help for two feature maps whose sizes differ by a few rows or columns."""
    if {rows, columns} <= {-1, 0, 1} or (rows == columns <= 6 and rows % 2):
        missing = max(abs(rows), abs(columns))
        return f"their sizes differ by {missing}: let all strides divide the sizes they halve"
    if rows == columns <= 6:
        return f"add {rows // 2} to the padding on the path to {format_shape(small)}"
    return "make their sizes equal"
