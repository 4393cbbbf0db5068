"""Further ops that reduce dimensions to one number: sums, extremes, spreads and norms."""

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

from pydantic import Field

from archspec.ops.base import Unsupported
from archspec.ops.call import Call, Input
from archspec.ops.reduction import Reduction
from archspec.ops.shapes import Shape, ShapeError


class Sum(Reduction):
    """Sum over dimensions, `Tensor.sum`."""

    kind = "sum"
    spelled = ("sum(input, dim, keepdim=False, dtype=None)", "sum(input, dtype=None)")
    verb = "sum"
    method = "sum"


class Max(Reduction):
    """Maximum over dimensions, `Tensor.amax`."""

    kind = "max"
    spelled = ("amax(input, dim, keepdim=False)", "max(input, dim, keepdim=False)")
    verb = "take the maximum of"
    method = "amax"
    fresh = False


class Min(Reduction):
    """Minimum over dimensions, `Tensor.amin`."""

    kind = "min"
    spelled = ("amin(input, dim, keepdim=False)", "min(input, dim, keepdim=False)")
    verb = "take the minimum of"
    method = "amin"
    fresh = False


class _Spread(Reduction):
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


class LogSumExp(Reduction):
    """Logarithm of the sum of exponentials over dimensions, `Tensor.logsumexp`."""

    kind = "logsumexp"
    spelled = ("logsumexp(input, dim, keepdim=False)",)
    verb = "take the logsumexp of"
    method = "logsumexp"
    fresh = False


class VectorNorm(Reduction):
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
