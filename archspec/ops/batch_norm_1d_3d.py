"""Batch normalisation of sequences, vectors and volumes."""

from archspec.ops.batch_norm import BatchNorm
from archspec.ops.shapes import Shape, ShapeError, format_shape, require_map


class BatchNorm1d(BatchNorm):
    """Batch normalisation of features, `nn.BatchNorm1d`."""

    kind = "batch_norm1d"
    spelled = (
        "batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-05)",
    )
    module = "nn.BatchNorm1d"

    def infer(self, *inputs: Shape) -> Shape:
        if len(inputs[0]) > 2:
            raise ShapeError(f"batch_norm1d expects features, got {format_shape(inputs[0])}",
                             help="batch_norm2d takes channels × height × width")  # fmt: skip
        return inputs[0]


class BatchNorm3d(BatchNorm):
    """Batch normalisation of channels × depth × height × width, per channel, `nn.BatchNorm3d`."""

    kind = "batch_norm3d"
    spelled = (
        "batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-05)",
    )
    module = "nn.BatchNorm3d"
    rank = 3

    def infer(self, *inputs: Shape) -> Shape:
        return require_map(inputs[0], "batch_norm3d", 3)
