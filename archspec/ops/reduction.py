"""Ops that reduce dimensions to one number."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import ClassVar

from pydantic import Field

from archspec.ops.base import Call, Input, Op, Shape, ShapeError, format_shape
from archspec.ops.dimensions import Dimension, axis_of, has_batch
from archspec.ops.window import Looks, Window


class _Reduction(Op):
    """Base class of reductions over dimensions."""

    needs_batch = False
    fresh = True
    role = "pool"
    verb: ClassVar[str]
    method: ClassVar[str]

    dim: list[Dimension] = Field(min_length=1, description="dimensions to reduce, counted with the batch as 0")
    keepdim: bool = Field(False, description="whether the dimensions are kept with size 1")

    def axes(self, shape: Shape) -> set[int]:
        """The indices in the shape of the reduced dimensions."""
        first, rank = int(has_batch(shape)), len(shape) + has_batch(shape)
        axes = {axis_of(shape, dim) for dim in self.dim if -rank <= dim < rank}
        if len(axes) < len(self.dim):
            raise ShapeError(f"cannot {self.verb} {format_shape(shape)} over the dimensions {self.dim}",
                             f"its dimensions are {first} to {rank - 1}, each at most once", "dim")  # fmt: skip
        return axes

    def infer(self, *inputs: Shape) -> Shape:
        shape, axes = inputs[0], self.axes(inputs[0])
        if self.keepdim:
            sizes = [1 if axis in axes else size for axis, size in enumerate(shape)]
        else:
            sizes = [size for axis, size in enumerate(shape) if axis not in axes]
        return type(shape)(sizes) if not has_batch(shape) else tuple(sizes)

    def looks(self, *inputs: Shape) -> Looks:
        axes = self.axes(inputs[0])
        kept = [None if axis in axes else Window(axis) for axis in range(len(inputs[0]))]
        return (tuple(kept if self.keepdim else filter(None, kept)),)

    def function(self, *inputs: Shape) -> Call:
        keep = {"keepdim": True} if self.keepdim else {}
        return Call(f"Tensor.{self.method}", (Input(0), tuple(self.dim) if len(self.dim) > 1 else self.dim[0]), keep)


class Mean(_Reduction):
    """Mean over dimensions, `Tensor.mean`; dimension 0 is the batch, so (2, 3) are height and width."""

    kind = "mean"
    verb = "average"
    method = "mean"

    dim: list[Dimension] = Field(min_length=1, description="dimensions to average over, counted with the batch as 0")


class Sum(_Reduction):
    """Sum over dimensions, `Tensor.sum`."""

    kind = "sum"
    verb = "sum"
    method = "sum"


class Max(_Reduction):
    """Maximum over dimensions, `Tensor.amax`."""

    kind = "max"
    verb = "take the maximum of"
    method = "amax"
    fresh = False


class Min(_Reduction):
    """Minimum over dimensions, `Tensor.amin`."""

    kind = "min"
    verb = "take the minimum of"
    method = "amin"
    fresh = False


class _Spread(_Reduction):
    """Base class of variance and standard deviation."""

    correction: int = Field(1, ge=0, lt=1 << 31, description="subtracted from the count of numbers in the divisor")

    def infer(self, *inputs: Shape) -> Shape:
        shape = inputs[0]
        count = prod(int(shape[axis]) for axis in self.axes(shape))
        if count <= self.correction:
            raise ShapeError(f"cannot {self.verb} {count} number{'s' * (count > 1)} with correction {self.correction}",
                             "reduce more, or write correction: 0", "correction")  # fmt: skip
        return super().infer(*inputs)

    def function(self, *inputs: Shape) -> Call:
        call = super().function(*inputs)
        return call if self.correction == 1 else replace(call, kwargs={"correction": self.correction, **call.kwargs})


class Var(_Spread):
    """Variance over dimensions, `Tensor.var`."""

    kind = "var"
    verb = "take the variance of"
    method = "var"


class Std(_Spread):
    """Standard deviation over dimensions, `Tensor.std`."""

    kind = "std"
    verb = "take the standard deviation of"
    method = "std"
    fresh = False


class LogSumExp(_Reduction):
    """Logarithm of the sum of exponentials over dimensions, `Tensor.logsumexp`."""

    kind = "logsumexp"
    verb = "take the logsumexp of"
    method = "logsumexp"
    fresh = False
