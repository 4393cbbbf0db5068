"""The ops: one class for each, listed here by its name in specs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from functools import cache
from importlib import import_module
from typing import Final

from archspec.ops.base import Op


class Ops(MutableMapping[str, type[Op]]):
    """The ops by name. The file of an op is imported when the op is first looked up; iterating over names imports none.

    >>> OPS["conv2d"].__name__
    'Conv2d'
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        self._ops: dict[str, type[Op] | str] = dict(places)

    def __getitem__(self, kind: str) -> type[Op]:
        op = self._ops[kind]
        if isinstance(op, str):
            file, _, name = op.partition(".")
            op = self._ops[kind] = getattr(import_module(f"archspec.ops.{file}"), name)
        return op

    def __contains__(self, kind: object) -> bool:
        return kind in self._ops

    def __setitem__(self, kind: str, op: type[Op]) -> None:
        self._ops[kind] = op

    def __delitem__(self, kind: str) -> None:
        del self._ops[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ops)

    def __len__(self) -> int:
        return len(self._ops)

    def called(self, name: str) -> Iterator[type[Op]]:
        """The ops that may have a helper of this name: that of the op or of its class, or one listed in `HELPERS`."""
        for kind, op in self._ops.items():
            if not isinstance(op, str) or name in (kind, op.partition(".")[2]) or HELPERS.get(name) == kind:
                yield self[kind]


HELPERS: Final = {
    "relative_position_index": "buffer", "relative_coords_table": "buffer", "shift_mask": "buffer",
    "PartlyBiasedLinear": "linear",
}  # fmt: skip
"""The ops whose helpers have other names."""


OPS: Final = Ops(
    {
        "conv2d": "convolution.Conv2d",
        "conv_transpose2d": "transposed_convolution.ConvTranspose2d",
        "conv1d": "convolution_1d_3d.Conv1d",
        "conv3d": "convolution_1d_3d.Conv3d",
        "conv_transpose1d": "transposed_convolution.ConvTranspose1d",
        "conv_transpose3d": "transposed_convolution.ConvTranspose3d",
        "linear": "linear.Linear",
        "matmul": "matmul.MatMul",
        "scaled_dot_product_attention": "attention.ScaledDotProductAttention",
        "multi_head_attention": "multi_head_attention.MultiHeadAttention",
        "batch_norm1d": "batch_norm.BatchNorm1d",
        "batch_norm2d": "batch_norm.BatchNorm2d",
        "batch_norm3d": "batch_norm.BatchNorm3d",
        "instance_norm1d": "instance_norm.InstanceNorm1d",
        "instance_norm2d": "instance_norm.InstanceNorm2d",
        "instance_norm3d": "instance_norm.InstanceNorm3d",
        "group_norm": "normalisation.GroupNorm",
        "layer_norm": "normalisation.LayerNorm",
        "layer_norm2d": "normalisation.LayerNorm2d",
        "rms_norm": "normalisation.RMSNorm",
        "normalize": "normalisation.Normalize",
        "dropout": "dropout.Dropout",
        "dropout1d": "dropout.Dropout1d",
        "dropout2d": "dropout.Dropout2d",
        "dropout3d": "dropout.Dropout3d",
        "alpha_dropout": "dropout.AlphaDropout",
        "stochastic_depth": "dropout.StochasticDepth",
        "relu": "relu.ReLU",
        "relu6": "relu.ReLU6",
        "leaky_relu": "relu.LeakyReLU",
        "prelu": "prelu.PReLU",
        "elu": "activation.ELU",
        "silu": "activation.SiLU",
        "gelu": "activation.GELU",
        "hardswish": "activation.Hardswish",
        "hardsigmoid": "activation.Hardsigmoid",
        "sigmoid": "activation.Sigmoid",
        "tanh": "activation.Tanh",
        "softmax": "activation.Softmax",
        "log_softmax": "smooth_activation.LogSoftmax",
        "mish": "smooth_activation.Mish",
        "selu": "smooth_activation.SELU",
        "celu": "smooth_activation.CELU",
        "softplus": "smooth_activation.Softplus",
        "softsign": "smooth_activation.Softsign",
        "log_sigmoid": "smooth_activation.LogSigmoid",
        "hardtanh": "smooth_activation.Hardtanh",
        "glu": "smooth_activation.GLU",
        "exp": "elementwise.Exp",
        "log": "elementwise.Log",
        "sqrt": "elementwise.Sqrt",
        "rsqrt": "elementwise.Rsqrt",
        "abs": "elementwise.Abs",
        "neg": "elementwise.Neg",
        "square": "elementwise.Square",
        "reciprocal": "elementwise.Reciprocal",
        "sin": "elementwise.Sin",
        "cos": "elementwise.Cos",
        "erf": "elementwise.Erf",
        "pow": "elementwise.Pow",
        "clamp": "elementwise.Clamp",
        "max_pool2d": "pooling.MaxPool2d",
        "avg_pool2d": "pooling.AvgPool2d",
        "adaptive_avg_pool2d": "pooling.AdaptiveAvgPool2d",
        "adaptive_max_pool2d": "pooling.AdaptiveMaxPool2d",
        **{
            f"{kind}{rank}d": f"pooling_1d_3d.{name}{rank}d"
            for rank in (1, 3)
            for kind, name in (
                ("max_pool", "MaxPool"),
                ("avg_pool", "AvgPool"),
                ("adaptive_avg_pool", "AdaptiveAvgPool"),
                ("adaptive_max_pool", "AdaptiveMaxPool"),
            )
        },
        "lp_pool1d": "lp_pooling.LPPool1d",
        "lp_pool2d": "lp_pooling.LPPool2d",
        "lp_pool3d": "lp_pooling.LPPool3d",
        "upsample": "interpolation.Upsample",
        "interpolate": "interpolation.Interpolate",
        "mean": "reduction.Mean",
        "sum": "reduction.Sum",
        "max": "reduction.Max",
        "min": "reduction.Min",
        "var": "reduction.Var",
        "std": "reduction.Std",
        "logsumexp": "reduction.LogSumExp",
        "add": "arithmetic.Add",
        "sub": "ordered_arithmetic.Sub",
        "mul": "arithmetic.Mul",
        "div": "ordered_arithmetic.Div",
        "cat": "joining.Cat",
        "stack": "joining.Stack",
        "chunk": "joining.Chunk",
        "split": "joining.Split",
        "select": "tensor.Select",
        "slice": "tensor.Slice",
        "index": "tensor.Index",
        "expand": "tensor.Expand",
        "pad": "tensor.Pad",
        "roll": "tensor.Roll",
        "flatten": "flatten.Flatten",
        "identity": "flatten.Identity",
        "permute": "joining.Permute",
        "rearrange": "rearrange.Rearrange",
        "channel_shuffle": "joining.ChannelShuffle",
        "unfold": "unfolding.Unfold",
        "fold": "unfolding.Fold",
        "pixel_shuffle": "unfolding.PixelShuffle",
        "pixel_unshuffle": "unfolding.PixelUnshuffle",
        "channel_affine": "joining.ChannelAffine",
        "parameter": "parameter.Parameter",
        "buffer": "buffer.Buffer",
    }
)
"""The file and the class of each op."""


def attributes_of(kind: str) -> frozenset[str]:
    """The attributes of an op's torch module, which expressions in initialisation rules may use."""
    op = OPS[kind]
    return frozenset(op.model_fields) - op.unreadable | op.attributes


def module_attributes() -> frozenset[str]:
    """The attributes of all ops' modules."""
    return _module_attributes(tuple(OPS))


def is_helper(name: str) -> bool:
    """Whether a helper (a function or class that an op needs in addition to torch) has this name, which is reserved."""
    return any(helper.partition(":")[2] == name for op in OPS.called(name) for helper in op.helpers)


def helper_names() -> frozenset[str]:
    """The names of all helpers."""
    return _helper_names(tuple(OPS.values()))


@cache
def _module_attributes(kinds: tuple[str, ...]) -> frozenset[str]:
    return frozenset().union(*(attributes_of(kind) for kind in kinds if OPS[kind].module is not None))


@cache
def _helper_names(ops: tuple[type[Op], ...]) -> frozenset[str]:
    return frozenset(helper.partition(":")[2] for op in ops for helper in op.helpers)
