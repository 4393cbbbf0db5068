"""Instance normalisation: each channel of each sample separately (Ulyanov et al., https://arxiv.org/abs/1607.08022)."""

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Argument
from archspec.ops.shapes import Shape, ShapeError, format_shape, require_map
from archspec.ops.window import All, Window, Windows, same


class _InstanceNorm(Op):
    """Base class of instance norms."""

    role = "norm"
    numbers = frozenset({"eps", "momentum"})
    attributes = frozenset({"num_features"})
    vectors = frozenset({"weight", "bias"})

    eps: float = Field(1e-5, gt=0, description="added to the variance")
    momentum: float = Field(0.1, ge=0, le=1, description="weight of the new batch in the running statistics")
    affine: bool = Field(False, description="whether a learned scale and shift follow")
    track_running_stats: bool = Field(False, description="whether running statistics are kept for evaluation")

    def infer(self, *inputs: Shape) -> Shape:
        shape = require_map(inputs[0], self.kind, self.rank)
        if all(int(size) == 1 for size in shape[1:]):
            raise ShapeError(f"{format_shape(shape)} has one position for each channel",
                             "instance norms need more than one")  # fmt: skip
        return shape

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"weight": inputs[0][:1], "bias": inputs[0][:1]} if self.affine else {}

    def buffers(self, *inputs: Shape) -> dict[str, Shape]:
        if not self.track_running_stats:
            return {}
        return {"running_mean": inputs[0][:1], "running_var": inputs[0][:1], "num_batches_tracked": ()}

    def windows(self, *inputs: Shape) -> Windows:
        rank = len(inputs[0])
        return (same(rank) if self.track_running_stats else (Window(0), *map(All, range(1, rank))),)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (Argument("num_features", inputs[0][0], positional=True), *super().constructor(*inputs))


class InstanceNorm1d(_InstanceNorm):
    """Normalisation of each channel of channels × length, sample by sample, `nn.InstanceNorm1d`
    (Ulyanov et al., https://arxiv.org/abs/1607.08022)."""

    kind = "instance_norm1d"
    module = "nn.InstanceNorm1d"
    rank = 1


class InstanceNorm2d(_InstanceNorm):
    """Normalisation of each channel of a feature map, sample by sample, `nn.InstanceNorm2d`
    (Ulyanov et al., https://arxiv.org/abs/1607.08022)."""

    kind = "instance_norm2d"
    module = "nn.InstanceNorm2d"
    rank = 2


class InstanceNorm3d(_InstanceNorm):
    """Normalisation of each channel of channels × depth × height × width, sample by sample, `nn.InstanceNorm3d`
    (Ulyanov et al., https://arxiv.org/abs/1607.08022)."""

    kind = "instance_norm3d"
    module = "nn.InstanceNorm3d"
    rank = 3
