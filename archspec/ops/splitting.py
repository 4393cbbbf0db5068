"""Ops that split a value into parts along a dimension."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from archspec.ops.base import Op, Unsupported
from archspec.ops.call import Call, Input
from archspec.ops.dimensions import Dimension, axis_of
from archspec.ops.fields import Size, may_be
from archspec.ops.shapes import Shape, ShapeError, Value  # fmt: skip
from archspec.ops.window import Part, Windows, same


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
