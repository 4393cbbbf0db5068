"""Ops that join, split or rearrange values without parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from archspec.ops.base import Op, Unsupported
from archspec.ops.call import ALL_INPUTS, Argument, Call, Input
from archspec.ops.dimensions import Dimension, axis_of, common_batch, has_batch, new_axis_of, sized
from archspec.ops.fields import Size, may_be
from archspec.ops.shape_help import align
from archspec.ops.shapes import ChannelsLast, Shape, ShapeError, Value, format_shape, require_map  # fmt: skip
from archspec.ops.window import Fold, Part, Window, Windows, same, without


class Cat(Op):
    """Concatenates values along their channels, or another dimension, `torch.cat`."""

    kind = "cat"
    spelled = ("cat(tensors, dim=0)", "concat(tensors, dim=0)")
    word = "concat"
    needs_batch = False
    concatenates = True
    arity = (1, None)
    fresh = True
    role = "join"

    dim: Dimension = Field(1, description="the dimension, counted with the batch as 0")

    def infer(self, *inputs: Shape) -> Shape:
        common_batch("cat", inputs)
        first = inputs[0]
        axis = axis_of(first, self.dim)
        for other in inputs[1:]:
            if len(other) != len(first) or _without(other, axis) != _without(first, axis):
                raise ShapeError(f"cannot concatenate {format_shape(first)} and {format_shape(other)}",
                                 self._help(first, other, axis))  # fmt: skip
        sizes = (*first[:axis], sum(shape[axis] for shape in inputs), *first[axis + 1 :])
        alike = type(first) if len({type(shape) for shape in inputs}) == 1 else tuple
        return alike(sizes)

    def _help(self, first: Shape, other: Shape, axis: int) -> str:
        if len(first) != len(other):
            return "flatten both or neither"
        if axis == 0 and has_batch(first):
            return align(first, other) or "all dimensions but the channels must agree"
        return f"all dimensions but {self.dim} must agree"

    def windows(self, *inputs: Shape) -> Windows:
        axis = axis_of(inputs[0], self.dim)
        return (without(len(inputs[0]), Fold((axis,), moved=True)),) * len(inputs)

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.cat", (ALL_INPUTS,), {"dim": self.dim})


def _without(shape: Shape, axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])


class Stack(Op):
    """Joins values of one shape along a new dimension, `torch.stack`."""

    kind = "stack"
    spelled = ("stack(tensors, dim=0)",)
    needs_batch = False
    arity = (1, None)
    fresh = True
    role = "join"

    dim: Dimension = Field(1, description="index of the new dimension, counted with the batch as 0")

    def infer(self, *inputs: Shape) -> Shape:
        common_batch("stack", inputs)
        first = inputs[0]
        axis = new_axis_of(first, self.dim)
        for other in inputs[1:]:
            if tuple(other) != tuple(first):
                raise ShapeError(f"cannot stack {format_shape(first)} and {format_shape(other)}",
                                 align(first, other) or "all values must have the same shape")  # fmt: skip
        return sized((1, 1) if has_batch(first) else first, (*first[:axis], len(inputs), *first[axis:]))

    def windows(self, *inputs: Shape) -> Windows:
        axis, own = new_axis_of(inputs[0], self.dim), same(len(inputs[0]))
        return ((*own[:axis], None, *own[axis:]),) * len(inputs)

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.stack", (ALL_INPUTS,), {"dim": self.dim})


class Split(Op):
    """Splits a value along a dimension into equal parts, `Tensor.chunk`, or parts of given sizes, `torch.split`; their
    names are `name.0`, `name.1`, …"""

    kind = "split"
    spelled = (
        "split(input, split_size, dim=0)",
        "split(tensor, split_size_or_sections, dim=0)",
        "chunk(input, chunks, dim=0)",
    )
    needs_batch = False
    carries_integers = True
    view = True
    role = "join"

    sections: Size | None = Field(None, le=1024, description="number of parts; must divide the dimension")
    sizes: list[Size] | None = Field(None, min_length=1, max_length=1024, description="sizes of the parts")
    dim: Dimension = Field(1, description="the dimension, counted with the batch as 0")

    @model_validator(mode="after")
    def _one_of_both(self) -> Split:
        if (self.sections is None) == (self.sizes is None):
            both = "neither" if self.sizes is None else "both"
            raise ValueError(f"expected either sections, the number of parts, or sizes, got {both}")
        return self

    def infer(self, *inputs: Shape) -> Value:
        shape = inputs[0]
        axis = axis_of(shape, self.dim)
        return tuple(
            type(shape)((*shape[:axis], size, *shape[axis + 1 :])) for size in self._sizes(shape[axis])
        )  # fmt: skip

    def _sizes(self, size: int) -> list[int]:
        """The sizes of the parts of a dimension."""
        if self.sections is not None:
            if size % self.sections:
                raise ShapeError(f"{size} positions cannot be split into {self.sections} equal parts",
                                 may_be("sections", size), "sections")  # fmt: skip
            return [size // self.sections] * self.sections
        assert self.sizes is not None
        if sum(self.sizes) != size:
            raise ShapeError(f"the sizes add up to {sum(map(int, self.sizes))}, but dimension {self.dim} has {size}",
                             "they must add up to the dimension", "sizes")  # fmt: skip
        return list(self.sizes)

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        whole = given["input" if "input" in given else "tensor"].shape[given["dim"]]
        parts = given.get("split_size", given.get("split_size_or_sections"))
        if parts is None:
            return {"sections": given["chunks"], "dim": given["dim"]}
        if isinstance(parts, int):
            parts = [min(parts, whole - start) for start in range(0, whole, parts)]
        if len(set(parts)) == 1:
            return {"sections": len(parts), "dim": given["dim"]}
        return {"sizes": list(parts), "dim": given["dim"]}

    def windows(self, *inputs: Shape) -> list[Windows]:
        axis, own = axis_of(inputs[0], self.dim), same(len(inputs[0]))
        sizes = [int(size) for size in self._sizes(inputs[0][axis])]
        starts = [sum(sizes[:number]) for number in range(len(sizes))]
        return [((*own[:axis], Part(axis, start), *own[axis + 1 :]),) for start in starts]

    def function(self, *inputs: Shape) -> Call:
        if self.sections is not None:
            return Call("Tensor.chunk", (Input(0), self.sections), {"dim": self.dim})
        assert self.sizes is not None
        return Call("torch.split", (Input(0), self.sizes), {"dim": self.dim})


class Chunk(Op):
    """Splits a value into equal parts along its channels, `torch.chunk`; their names are `name.0`, `name.1`, …"""

    kind = "chunk"
    spelled = ("chunk(input, chunks, dim=0)",)
    reads = frozenset({"dim"})
    carries_integers = True
    view = True
    role = "join"

    chunks: Size = Field(le=1024, description="number of parts; must divide the channels")

    def infer(self, *inputs: Shape) -> Value:
        channels, *rest = inputs[0]
        if channels % self.chunks:
            raise ShapeError(f"{channels} channels cannot be split into {self.chunks} equal parts",
                             may_be("chunks", channels), "chunks")  # fmt: skip
        return (type(inputs[0])((channels // self.chunks, *rest)),) * self.chunks

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        if given["dim"] % given["input"].ndim != 1:
            raise Unsupported(f"dim={given['dim']}")
        return {"chunks": given["chunks"]}

    def windows(self, *inputs: Shape) -> list[Windows]:
        size, rest = int(inputs[0][0]) // self.chunks, same(len(inputs[0]))[1:]
        starts = range(0, size * self.chunks, size)
        return [((Part(0, start), *rest),) for start in starts]

    def function(self, *inputs: Shape) -> Call:
        return Call("Tensor.chunk", (Input(0), self.chunks), {"dim": 1})


class Permute(Op):
    """Reorders dimensions, `Tensor.permute`; dimension 0 is the batch and stays first."""

    kind = "permute"
    also = ("torchvision.ops.misc:Permute",)
    module = "Permute"
    carries_integers = True
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

    def windows(self, *inputs: Shape) -> Windows:
        return (tuple(Window(dim - 1) for dim in self.dims[1:]),)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (Argument("dims", tuple(self.dims), positional=True),)

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.permute", (Input(0), tuple(self.dims)))


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

    def windows(self, *inputs: Shape) -> Windows:
        return (same(3),)

    def function(self, *inputs: Shape) -> Call:
        return Call("channel_affine", (Input(0), self.scale, self.shift))


class ChannelShuffle(Op):
    """Interleaves groups of channels, `nn.ChannelShuffle` (ShuffleNet, https://arxiv.org/abs/1707.01083)."""

    kind = "channel_shuffle"
    spelled = ("channel_shuffle(input, groups)",)
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

    def windows(self, *inputs: Shape) -> Windows:
        return (without(3, Fold((0,), moved=True)),)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (self.argument("groups", positional=True),)

    def function(self, *inputs: Shape) -> Call:
        return Call("F.channel_shuffle", (Input(0), self.groups))
