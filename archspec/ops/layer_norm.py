"""Normalisation over the last dimensions of each position."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Argument
from archspec.ops.dimensions import MAX_RANK
from archspec.ops.fields import Size, learned_vectors
from archspec.ops.shapes import Shape, ShapeError, format_rank, format_shape  # fmt: skip
from archspec.ops.window import All, Window, Windows


class PositionNorm(Op):
    """Base class of normalisations of each position over its last dimensions."""

    needs_batch = False
    fresh = True
    role = "norm"
    numbers = frozenset({"eps"})
    vectors = frozenset({"weight", "bias"})

    def over(self) -> int:
        """The number of last dimensions that are normalised together."""
        return 1

    def infer(self, *inputs: Shape) -> Shape:
        shape, number = inputs[0], self.over()
        if number == 1 and len(shape) == 3 and type(shape) is tuple:
            other = "layer_norm2d" if self.kind == "layer_norm" else "num_dims: 3"
            raise ShapeError(f"{self.kind} would act on the width of {format_shape(shape)}",
                             help=f"permute it to height × width × channels, or use {other}")  # fmt: skip
        if number > len(shape):
            raise ShapeError(f"{format_rank(shape)} to normalise, not {number}",
                             f"num_dims may be at most {len(shape)}", "num_dims")  # fmt: skip
        return shape

    def sizes(self, shape: Shape) -> tuple[int, ...]:
        """The sizes of the dimensions that are normalised."""
        return tuple(shape[-self.over() :])

    def windows(self, *inputs: Shape) -> Windows:
        first, rank = len(inputs[0]) - self.over(), len(inputs[0])
        return (tuple(All(axis) if axis >= first else Window(axis) for axis in range(rank)),)

    def normalized_shape(self, shape: Shape) -> Argument:
        """torch's argument: a number for one dimension, a tuple for several."""
        sizes = self.sizes(shape)
        return Argument("normalized_shape", sizes[0] if len(sizes) == 1 else sizes, positional=True)


class LayerNorm(PositionNorm):
    """Normalisation over the last dimension, or several, `nn.LayerNorm` (Ba et al., https://arxiv.org/abs/1607.06450)."""

    kind = "layer_norm"
    spelled = ("layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05)",)
    module = "nn.LayerNorm"

    eps: float = Field(1e-5, gt=0, description="added to the variance")
    num_dims: Size = Field(1, le=MAX_RANK, description="how many dimensions are normalised together, the last ones")
    elementwise_affine: bool = Field(True, description="whether a learned scale and shift follow")
    bias: bool = Field(True, description="whether the shift is learned, too")

    def over(self) -> int:
        return self.num_dims

    @classmethod
    def of_module(cls, module: Any) -> dict[str, Any]:
        learned = learned_vectors("elementwise_affine", module.weight, module.bias)
        return {"eps": module.eps, "num_dims": len(module.normalized_shape), **learned}

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        learned = learned_vectors("elementwise_affine", given["weight"], given["bias"])
        return {"eps": given["eps"], "num_dims": len(given["normalized_shape"]), **learned}

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        sizes = self.sizes(inputs[0])
        if not self.elementwise_affine:
            return {}
        return {"weight": sizes, "bias": sizes} if self.bias else {"weight": sizes}

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        rest = (self.argument(name) for name in ("eps", "elementwise_affine", "bias"))
        return (self.normalized_shape(inputs[0]), *rest)
