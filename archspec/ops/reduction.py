"""Ops that reduce dimensions to one number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any, ClassVar

from pydantic import Field

from archspec.ops.base import Op, Unsupported
from archspec.ops.call import Call, Input
from archspec.ops.dimensions import Dimension, axis_of, has_batch
from archspec.ops.shapes import Shape, ShapeError, format_shape
from archspec.ops.window import Window, Windows


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

    def windows(self, *inputs: Shape) -> Windows:
        axes = self.axes(inputs[0])
        kept = [None if axis in axes else Window(axis) for axis in range(len(inputs[0]))]
        return (tuple(kept if self.keepdim else filter(None, kept)),)

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        dim = given.get("dim")
        every = range(given["input"].ndim) if dim is None else dim
        return {"dim": [every] if isinstance(every, int) else list(every), "keepdim": given.get("keepdim", False)}

    def function(self, *inputs: Shape) -> Call:
        keep = {"keepdim": True} if self.keepdim else {}
        return Call(f"Tensor.{self.method}", (Input(0), tuple(self.dim) if len(self.dim) > 1 else self.dim[0]), keep)


class Mean(_Reduction):
    """Mean over dimensions, `Tensor.mean`; dimension 0 is the batch, so (2, 3) are height and width."""

    kind = "mean"
    spelled = ("mean(input, dim, keepdim=False, dtype=None)", "mean(input, dtype=None)")
    verb = "average"
    method = "mean"

    dim: list[Dimension] = Field(min_length=1, description="dimensions to average over, counted with the batch as 0")


class Sum(_Reduction):
    """Sum over dimensions, `Tensor.sum`."""

    kind = "sum"
    spelled = ("sum(input, dim, keepdim=False, dtype=None)", "sum(input, dtype=None)")
    verb = "sum"
    method = "sum"


class Max(_Reduction):
    """Maximum over dimensions, `Tensor.amax`."""

    kind = "max"
    spelled = ("amax(input, dim, keepdim=False)", "max(input, dim, keepdim=False)")
    verb = "take the maximum of"
    method = "amax"
    fresh = False


class Min(_Reduction):
    """Minimum over dimensions, `Tensor.amin`."""

    kind = "min"
    spelled = ("amin(input, dim, keepdim=False)", "min(input, dim, keepdim=False)")
    verb = "take the minimum of"
    method = "amin"
    fresh = False


class _Spread(_Reduction):
    """Base class of variance and standard deviation."""

    reads = frozenset({"unbiased"})

    correction: int = Field(1, ge=0, lt=1 << 31, description="subtracted from the count of numbers in the divisor")

    def infer(self, *inputs: Shape) -> Shape:
        shape = inputs[0]
        count = prod(int(shape[axis]) for axis in self.axes(shape))
        if count <= self.correction:
            raise ShapeError(f"cannot {self.verb} {count} number{'s' * (count > 1)} with correction {self.correction}",
                             "reduce more, or write correction: 0", "correction")  # fmt: skip
        return super().infer(*inputs)

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        return {**super().of_call(given), "correction": int(given.get("correction", given.get("unbiased")))}

    def function(self, *inputs: Shape) -> Call:
        call = super().function(*inputs)
        return call if self.correction == 1 else replace(call, kwargs={"correction": self.correction, **call.kwargs})


class Var(_Spread):
    """Variance over dimensions, `Tensor.var`."""

    kind = "var"
    spelled = ("var(input, dim, unbiased=True, keepdim=False)", "var(input, dim, correction=1, keepdim=False)")
    verb = "take the variance of"
    method = "var"


class Std(_Spread):
    """Standard deviation over dimensions, `Tensor.std`."""

    kind = "std"
    spelled = ("std(input, dim, unbiased=True, keepdim=False)", "std(input, dim, correction=1, keepdim=False)")
    verb = "take the standard deviation of"
    method = "std"
    fresh = False


class LogSumExp(_Reduction):
    """Logarithm of the sum of exponentials over dimensions, `Tensor.logsumexp`."""

    kind = "logsumexp"
    spelled = ("logsumexp(input, dim, keepdim=False)",)
    verb = "take the logsumexp of"
    method = "logsumexp"
    fresh = False


class VectorNorm(_Reduction):
    """The p-norm of the numbers along dimensions, `torch.linalg.vector_norm`: the root of the sum of squares for
    `ord` 2."""

    kind = "vector_norm"
    spelled = ("norm(input, p=2, dim=None, keepdim=False, dtype=None)",)
    verb = "take the norm of"
    method = "norm"
    fresh = False
    reads = frozenset({"p"})

    ord: float = Field(2.0, gt=0, description="the power of the norm")

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        power = 2 if given["p"] == "fro" else given["p"]
        if given["dim"] is None or not isinstance(power, int | float):
            raise Unsupported(f"a norm with p={power} and dim={given['dim']}")
        return {**super().of_call(given), "ord": float(power)}

    def function(self, *inputs: Shape) -> Call:
        dims = tuple(self.dim) if len(self.dim) > 1 else self.dim[0]
        return replace(super().function(*inputs), target="torch.linalg.vector_norm", args=(Input(0), self.ord, dims))
