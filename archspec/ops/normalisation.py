"""Ops that normalise activations, and dropout."""

from typing import Literal

from pydantic import Field

from archspec.ops.base import (
    TRAINING,
    Argument,
    Call,
    Input,
    Op,
    Probability,
    Shape,
    ShapeError,
    Size,
    fields_of,
    format_shape,
    may_be,
    require_map,
)  # fmt: skip
from archspec.ops.dimensions import MAX_RANK, Dimension, axis_of
from archspec.ops.window import All, Looks, Unsaid, Window, same, without

_VECTORS = frozenset({"weight", "bias"})


class _BatchNorm(Op):
    """Batch normalisation: Ioffe & Szegedy, https://arxiv.org/abs/1502.03167."""

    fresh = True
    role = "norm"
    word = "bn"
    numbers = frozenset({"eps", "momentum"})
    attributes = frozenset({"num_features"})
    vectors = _VECTORS

    eps: float = Field(1e-5, gt=0, description="added to the variance")
    momentum: float = Field(0.1, ge=0, le=1, description="weight of the new batch in the running statistics")
    affine: bool = Field(True, description="whether a learned scale and shift follow")
    track_running_stats: bool = Field(True, description="whether running statistics are kept for evaluation")

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"weight": inputs[0][:1], "bias": inputs[0][:1]} if self.affine else {}

    def buffers(self, *inputs: Shape) -> dict[str, Shape]:
        if not self.track_running_stats:
            return {}
        return {"running_mean": inputs[0][:1], "running_var": inputs[0][:1], "num_batches_tracked": ()}

    def looks(self, *inputs: Shape) -> Looks:
        rank = len(inputs[0])
        if self.track_running_stats:
            return (same(rank),)
        return ((Window(0), *map(All, range(1, rank))),)  # statistics of the batch, in evaluation, too

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (Argument("num_features", inputs[0][0], positional=True), *super().constructor(*inputs))


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of a feature map, per channel, `nn.BatchNorm2d`."""

    kind = "batch_norm2d"
    module = "nn.BatchNorm2d"

    def infer(self, *inputs: Shape) -> Shape:
        return require_map(inputs[0], "batch_norm2d")


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of features, `nn.BatchNorm1d`."""

    kind = "batch_norm1d"
    module = "nn.BatchNorm1d"

    def infer(self, *inputs: Shape) -> Shape:
        if len(inputs[0]) > 2:
            raise ShapeError(f"batch_norm1d expects features, got {format_shape(inputs[0])}",
                             help="batch_norm2d takes channels × height × width")  # fmt: skip
        return inputs[0]


class GroupNorm(Op):
    """Normalisation over groups of channels of one sample, `nn.GroupNorm` (Wu & He, https://arxiv.org/abs/1803.08494)."""

    kind = "group_norm"
    module = "nn.GroupNorm"
    fresh = True
    role = "norm"
    numbers = frozenset({"eps", "num_groups"})
    vectors = _VECTORS

    num_groups: Size = Field(description="number of groups; must divide the channels")
    eps: float = Field(1e-5, gt=0, description="added to the variance")
    affine: bool = Field(True, description="whether a learned scale and shift follow")

    def infer(self, *inputs: Shape) -> Shape:
        if inputs[0][0] % self.num_groups:
            raise ShapeError(f"{inputs[0][0]} channels cannot be split into {self.num_groups} groups",
                             may_be("num_groups", inputs[0][0]), "num_groups")  # fmt: skip
        return inputs[0]

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"weight": inputs[0][:1], "bias": inputs[0][:1]} if self.affine else {}

    def looks(self, *inputs: Shape) -> Looks:
        return ((All(0) if self.num_groups == 1 else Unsaid(0), *map(All, range(1, len(inputs[0])))),)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        channels = Argument("num_channels", inputs[0][0], positional=True)
        return (self.argument("num_groups", positional=True), channels, self.argument("eps"), self.argument("affine"))


class _Norm(Op):
    """Normalisation of each position over its last dimensions."""

    needs_batch = False
    fresh = True
    role = "norm"
    numbers = frozenset({"eps"})
    vectors = _VECTORS

    def over(self) -> int:
        """How many dimensions are normalised together, the last ones."""
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

    def looks(self, *inputs: Shape) -> Looks:
        first, rank = len(inputs[0]) - self.over(), len(inputs[0])
        return (tuple(All(axis) if axis >= first else Window(axis) for axis in range(rank)),)

    def normalized_shape(self, shape: Shape) -> Argument:
        """torch's argument: a number for one dimension, a tuple for several."""
        sizes = self.sizes(shape)
        return Argument("normalized_shape", sizes[0] if len(sizes) == 1 else sizes, positional=True)


class LayerNorm(_Norm):
    """Normalisation over the last dimension, or several, `nn.LayerNorm` (Ba et al., https://arxiv.org/abs/1607.06450)."""

    kind = "layer_norm"
    module = "nn.LayerNorm"

    eps: float = Field(1e-5, gt=0, description="added to the variance")
    num_dims: Size = Field(1, le=MAX_RANK, description="how many dimensions are normalised together, the last ones")
    elementwise_affine: bool = Field(True, description="whether a learned scale and shift follow")
    bias: bool = Field(True, description="whether the shift is learned, too")

    def over(self) -> int:
        return self.num_dims

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
    module = "nn.RMSNorm"
    lacks = frozenset({"bias"})
    fresh = False  # backward may read it, depending on the kernel

    eps: float | None = Field(None, gt=0, description="added to the mean square; the type's smallest step if not given")
    num_dims: Size = Field(1, le=MAX_RANK, description="how many dimensions are normalised together, the last ones")
    elementwise_affine: bool = Field(True, description="whether a learned scale follows")

    def over(self) -> int:
        return self.num_dims

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"weight": self.sizes(inputs[0])} if self.elementwise_affine else {}

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (self.normalized_shape(inputs[0]), self.argument("eps"), self.argument("elementwise_affine"))


class LayerNorm2d(Op):
    """Layer normalisation over the channels of a feature map (ConvNeXt, https://arxiv.org/abs/2201.03545)."""

    kind = "layer_norm2d"
    module = "LayerNorm2d"
    helpers = ("archspec.backends.torch.helpers:LayerNorm2d",)
    extends = ("nn.LayerNorm",)
    role = "norm"
    numbers = frozenset({"eps"})
    vectors = _VECTORS
    # not fresh: a view, with the channels moved to the front: autograd copies what is overwritten through a view

    eps: float = Field(1e-5, gt=0, description="added to the variance")

    def infer(self, *inputs: Shape) -> Shape:
        return require_map(inputs[0], "layer_norm2d")

    def looks(self, *inputs: Shape) -> Looks:
        return (without(3, All(0)),)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"weight": inputs[0][:1], "bias": inputs[0][:1]}

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (Argument("normalized_shape", inputs[0][0], positional=True), self.argument("eps"))


class Normalize(Op):
    """Divides by the norm over a dimension, `F.normalize`: what lies along it has length 1."""

    kind = "normalize"
    needs_batch = False
    fresh = True
    role = "norm"
    numbers = frozenset({"p", "eps"})

    p: float = Field(2.0, gt=0, description="exponent of the norm; 2 is the length")
    dim: Dimension = Field(1, description="the dimension, counted with the batch as 0")
    eps: float = Field(1e-12, gt=0, description="the least number that is divided by")

    def infer(self, *inputs: Shape) -> Shape:
        axis_of(inputs[0], self.dim)
        return inputs[0]

    def looks(self, *inputs: Shape) -> Looks:
        return (without(len(inputs[0]), All(axis_of(inputs[0], self.dim))),)

    def function(self, *inputs: Shape) -> Call:
        given = {"p": self.p, "dim": self.dim, "eps": self.eps}
        return Call("F.normalize", (Input(0),), {n: v for n, v in given.items() if v != fields_of(Normalize)[n]})


class StochasticDepth(Op):
    """Drops a residual branch at random in training, for the whole batch or sample by sample
    (Huang et al., https://arxiv.org/abs/1603.09382)."""

    kind = "stochastic_depth"
    module = "StochasticDepth"
    helpers = ("archspec.backends.torch.helpers:StochasticDepth",)
    view = True
    idle = True
    role = "dropout"
    shown = ("p",)
    numbers = frozenset({"p"})
    varying = frozenset({"p"})

    p: Probability = Field(description="probability that the branch is dropped")
    mode: Literal["row", "batch"] = Field("row", description="row: each sample on its own; batch: all together")

    def looks(self, *inputs: Shape) -> Looks:
        return (same(len(inputs[0])),)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (self.argument("p", positional=True), self.argument("mode"))


class Dropout(Op):
    """Zeroes activations at random in training, `nn.Dropout` (Srivastava et al., JMLR 15, 2014)."""

    kind = "dropout"
    module = "nn.Dropout"
    elementwise = True
    view = True
    idle = True
    role = "dropout"
    shown = ("p",)
    numbers = frozenset({"p"})

    p: Probability = Field(0.5, description="share of activations that are zeroed")

    def function(self, *inputs: Shape) -> Call:
        return Call("F.dropout", kwargs={"p": self.p, "training": TRAINING})


class Dropout2d(Dropout):
    """Zeroes whole channels at random in training, `nn.Dropout2d`."""

    kind = "dropout2d"
    module = "nn.Dropout2d"
    elementwise = False

    def infer(self, *inputs: Shape) -> Shape:
        return require_map(inputs[0], "dropout2d")

    def looks(self, *inputs: Shape) -> Looks:
        return (same(3),)

    def function(self, *inputs: Shape) -> Call:
        return Call("F.dropout2d", (Input(0),), {"p": self.p, "training": TRAINING})
