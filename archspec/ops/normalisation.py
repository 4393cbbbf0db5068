"""Ops that normalise activations over groups or dimensions of one sample."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Argument, Call, Input
from archspec.ops.dimensions import MAX_RANK, Dimension, axis_of
from archspec.ops.fields import Size, may_be
from archspec.ops.shapes import Shape, ShapeError, format_shape, require_map  # fmt: skip
from archspec.ops.window import All, UnknownWindow, Window, Windows, without

_VECTORS = frozenset({"weight", "bias"})


def _learned(affine: str, weight: Any, bias: Any) -> dict[str, bool]:
    """The fields that say whether a scale is learned, under the name `affine`, and whether a shift is, too."""
    return {affine: weight is not None, "bias": weight is None or bias is not None}


class GroupNorm(Op):
    """Normalisation over groups of channels of one sample, `nn.GroupNorm` (Wu & He, https://arxiv.org/abs/1803.08494)."""

    kind = "group_norm"
    spelled = ("group_norm(input, num_groups, weight=None, bias=None, eps=1e-05)",)
    module = "nn.GroupNorm"
    fresh = True
    role = "norm"
    numbers = frozenset({"eps", "num_groups"})
    vectors = _VECTORS

    num_groups: Size = Field(description="number of groups; must divide the channels")
    eps: float = Field(1e-5, gt=0, description="added to the variance")
    affine: bool = Field(True, description="whether a learned scale and shift follow")
    bias: bool = Field(True, description="whether the shift is learned, too")

    def infer(self, *inputs: Shape) -> Shape:
        if inputs[0][0] % self.num_groups:
            raise ShapeError(f"{inputs[0][0]} channels cannot be split into {self.num_groups} groups",
                             may_be("num_groups", inputs[0][0]), "num_groups")  # fmt: skip
        return inputs[0]

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        if not self.affine:
            return {}
        return {"weight": inputs[0][:1], "bias": inputs[0][:1]} if self.bias else {"weight": inputs[0][:1]}

    @classmethod
    def of_module(cls, module: Any) -> dict[str, Any]:
        return {"num_groups": module.num_groups, "eps": module.eps, **_learned("affine", module.weight, module.bias)}

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        learned = _learned("affine", given["weight"], given["bias"])
        return {"num_groups": given["num_groups"], "eps": given["eps"], **learned}

    def windows(self, *inputs: Shape) -> Windows:
        return ((All(0) if self.num_groups == 1 else UnknownWindow(0), *map(All, range(1, len(inputs[0])))),)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        channels = Argument("num_channels", inputs[0][0], positional=True)
        return (self.argument("num_groups", positional=True), channels,
                *map(self.argument, ("eps", "affine", "bias")))  # fmt: skip


class _Norm(Op):
    """Normalisation of each position over its last dimensions."""

    needs_batch = False
    fresh = True
    role = "norm"
    numbers = frozenset({"eps"})
    vectors = _VECTORS

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
            raise ShapeError(f"{format_shape(shape)} has {len(shape)} dimensions to normalise, not {number}",
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


class LayerNorm(_Norm):
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
        learned = _learned("elementwise_affine", module.weight, module.bias)
        return {"eps": module.eps, "num_dims": len(module.normalized_shape), **learned}

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        learned = _learned("elementwise_affine", given["weight"], given["bias"])
        return {"eps": given["eps"], "num_dims": len(given["normalized_shape"]), **learned}

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        sizes = self.sizes(inputs[0])
        if not self.elementwise_affine:
            return {}
        return {"weight": sizes, "bias": sizes} if self.bias else {"weight": sizes}

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        rest = (self.argument(name) for name in ("eps", "elementwise_affine", "bias"))
        return (self.normalized_shape(inputs[0]), *rest)


class RMSNorm(_Norm):
    """Division by the root of the mean square over the last dimension, or several, `nn.RMSNorm`
    (Zhang & Sennrich, https://arxiv.org/abs/1910.07467)."""

    kind = "rms_norm"
    spelled = ("rms_norm(input, normalized_shape, weight=None, eps=None)",)
    module = "nn.RMSNorm"
    holds = frozenset({"weight"})
    fresh = False  # backward may read it, depending on the kernel

    eps: float | None = Field(None, gt=0, description="added to the mean square; the type's smallest step if not given")
    num_dims: Size = Field(1, le=MAX_RANK, description="how many dimensions are normalised together, the last ones")
    elementwise_affine: bool = Field(True, description="whether a learned scale follows")

    def over(self) -> int:
        return self.num_dims

    @classmethod
    def of_module(cls, module: Any) -> dict[str, Any]:
        return {"eps": module.eps, "num_dims": len(module.normalized_shape),
                "elementwise_affine": module.weight is not None}  # fmt: skip

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        return {"eps": given["eps"], "num_dims": len(given["normalized_shape"]),
                "elementwise_affine": given["weight"] is not None}  # fmt: skip

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"weight": self.sizes(inputs[0])} if self.elementwise_affine else {}

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (self.normalized_shape(inputs[0]), self.argument("eps"), self.argument("elementwise_affine"))


class LayerNorm2d(Op):
    """Layer normalisation over the channels of a feature map (ConvNeXt, https://arxiv.org/abs/2201.03545)."""

    kind = "layer_norm2d"
    also = ("torchvision.models.convnext:LayerNorm2d", "timm.layers.norm:LayerNorm2d")
    module = "LayerNorm2d"
    helpers = ("archspec.backends.torch.helpers:LayerNorm2d",)
    extends = ("nn.LayerNorm",)
    role = "norm"
    numbers = frozenset({"eps"})
    vectors = _VECTORS
    # not fresh: a view, with the channels moved to the front; autograd copies values overwritten through a view

    eps: float = Field(1e-5, gt=0, description="added to the variance")
    bias: bool = Field(True, description="whether the shift is learned, too")

    def infer(self, *inputs: Shape) -> Shape:
        return require_map(inputs[0], "layer_norm2d")

    def windows(self, *inputs: Shape) -> Windows:
        return (without(3, All(0)),)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"weight": inputs[0][:1], "bias": inputs[0][:1]} if self.bias else {"weight": inputs[0][:1]}

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (Argument("normalized_shape", inputs[0][0], positional=True), *map(self.argument, ("eps", "bias")))


class Normalize(Op):
    """Divides by the norm over a dimension, `F.normalize`, so that vectors along it have length 1."""

    kind = "normalize"
    spelled = ("normalize(input, p=2.0, dim=1, eps=1e-12)",)
    needs_batch = False
    fresh = True
    role = "norm"
    numbers = frozenset({"p", "eps"})

    p: float = Field(2.0, gt=0, description="exponent of the norm; 2 is the length")
    dim: Dimension = Field(1, description="the dimension, counted with the batch as 0")
    eps: float = Field(1e-12, gt=0, description="the smallest divisor")

    def infer(self, *inputs: Shape) -> Shape:
        axis_of(inputs[0], self.dim)
        return inputs[0]

    def windows(self, *inputs: Shape) -> Windows:
        return (without(len(inputs[0]), All(axis_of(inputs[0], self.dim))),)

    def function(self, *inputs: Shape) -> Call:
        return Call("F.normalize", (Input(0),), self.non_default_fields())
