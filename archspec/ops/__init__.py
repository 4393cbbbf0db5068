"""The ops: one class for each, listed here by its name in specs.

Read `base` (what an op declares) with `shapes`, `fields`, `call` and `window`, then any op: `relu`,
`convolution`, `pooling`. Several share `dimensions` (counted as in torch), `shape_help` and `initialisers`, of
which `distributions` says what they draw. `collect` (several values as one) and `chosen` (an op as an argument) are not
in the list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from importlib import import_module
from typing import Final

from archspec.ops.base import Op


class Ops(Mapping[str, type[Op]]):
    """The ops that a spec may use, by name: archspec's, and `own` ones that the user passed.

    A table never changes: `with_own` makes another. The file of one of archspec's ops is imported when the op is first
    looked up: names alone import none.

    >>> OPS["conv2d"].__name__
    'Conv2d'
    """

    def __init__(self, places: Mapping[str, str], own: Iterable[type[Op]] = ()) -> None:
        self.own = tuple(own)
        """The classes of the ops that are not archspec's."""
        self._places = places
        self._loaded: dict[str, type[Op]] = {op.kind: op for op in self.own}

    def with_own(self, own: Iterable[type[Op]]) -> Ops:
        """A table with other own ops."""
        return Ops(self._places, own)

    def __getitem__(self, kind: str) -> type[Op]:
        op = self._loaded.get(kind)
        if op is None:
            file, _, name = self._places[kind].partition(".")
            op = self._loaded[kind] = getattr(import_module(f"archspec.ops.{file}"), name)
        return op

    def __contains__(self, kind: object) -> bool:
        return kind in self._places or kind in self._loaded

    def __iter__(self) -> Iterator[str]:
        yield from self._places
        yield from (op.kind for op in self.own)

    def __len__(self) -> int:
        return len(self._places) + len(self.own)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ops) and self.own == other.own

    def __hash__(self) -> int:
        return hash(self.own)

    def __repr__(self) -> str:
        return f"Ops(own={[op.kind for op in self.own]})"

    def is_helper(self, name: str) -> bool:
        """Whether a helper of an op has this name, which is then reserved in generated source."""
        return any(helper.partition(":")[2] == name for op in self._called(name) for helper in op.helpers)

    def _called(self, name: str) -> Iterator[type[Op]]:
        """The ops that may have a helper of this name: it is that of the op or its class, or in `HELPERS`."""
        yield from self.own
        if name in self._words:
            yield self[self._words[name]]

    @cached_property
    def _words(self) -> dict[str, str]:
        """archspec's ops by the names that their helpers may have."""
        classes = {place.partition(".")[2]: kind for kind, place in self._places.items()}
        known = {**classes, **{kind: kind for kind in self._places}, **HELPERS}
        return {name: kind for name, kind in known.items() if kind in self._places}

    @cached_property
    def helper_names(self) -> frozenset[str]:
        """The names of all helpers."""
        return frozenset(helper.partition(":")[2] for op in self.values() for helper in op.helpers)

    @cached_property
    def module_attributes(self) -> frozenset[str]:
        """The attributes of all ops' modules, which expressions in initialisation rules may use."""
        return MODULE_ATTRIBUTES.union(*(op.readable() for op in self.own if op.module is not None))


HELPERS: Final = {
    "relative_position_index": "buffer", "relative_coords_table": "buffer", "shift_mask": "buffer",
    "causal_mask": "buffer", "distance_index": "buffer", "with_class_token": "buffer",
    "PartlyBiasedLinear": "linear", "TransposedLinear": "linear",
}  # fmt: skip
"""The ops whose helpers have other names."""

MODULE_ATTRIBUTES: Final = frozenset({
    "add_zero_attn", "affine", "align_corners", "alpha", "approximate", "beta", "bias", "ceil_mode",
    "count_include_pad", "dilation", "dim", "dims", "downscale_factor", "dropout", "elementwise_affine",
    "embed_dim", "embedding_dim", "eps", "groups", "in_channels", "in_features", "init", "kernel_size",
    "max_val", "min_val", "mode", "momentum", "negative_slope", "norm_type", "num_dims", "num_embeddings",
    "num_features", "num_groups", "num_heads", "num_parameters", "out_channels", "out_features",
    "output_padding", "output_size", "p", "padding", "padding_idx", "padding_mode", "recompute_scale_factor",
    "scale_factor", "size", "stride", "threshold", "track_running_stats", "transposed", "upscale_factor",
    "zero_bias",
})  # fmt: skip
"""The attributes of the modules of archspec's ops; a table of them, so that a rule that reads one imports no op."""


OPS: Final = Ops(
    {
        "conv2d": "convolution.Conv2d",
        "conv_transpose2d": "transposed_convolution.ConvTranspose2d",
        "conv1d": "convolution_1d_3d.Conv1d",
        "conv3d": "convolution_1d_3d.Conv3d",
        "conv_transpose1d": "transposed_convolution.ConvTranspose1d",
        "conv_transpose3d": "transposed_convolution.ConvTranspose3d",
        "linear": "linear.Linear",
        "functional_conv1d": "functional.FunctionalConv1d",
        "functional_conv2d": "functional.FunctionalConv2d",
        "functional_conv3d": "functional.FunctionalConv3d",
        "functional_linear": "functional.FunctionalLinear",
        "functional_instance_norm": "functional.FunctionalInstanceNorm",
        "embedding": "embedding.Embedding",
        "matmul": "matmul.MatMul",
        "einsum": "einsum.Einsum",
        "scaled_dot_product_attention": "attention.ScaledDotProductAttention",
        "multi_head_attention": "multi_head_attention.MultiHeadAttention",
        "batch_norm1d": "batch_norm_1d_3d.BatchNorm1d",
        "batch_norm2d": "batch_norm.BatchNorm2d",
        "batch_norm3d": "batch_norm_1d_3d.BatchNorm3d",
        "instance_norm1d": "instance_norm.InstanceNorm1d",
        "instance_norm2d": "instance_norm.InstanceNorm2d",
        "instance_norm3d": "instance_norm.InstanceNorm3d",
        "group_norm": "group_norm.GroupNorm",
        "layer_norm": "layer_norm.LayerNorm",
        "layer_norm2d": "layer_norm2d.LayerNorm2d",
        "rms_norm": "rms_norm.RMSNorm",
        "normalize": "normalize.Normalize",
        "dropout": "dropout.Dropout",
        "dropout1d": "channel_dropout.Dropout1d",
        "dropout2d": "channel_dropout.Dropout2d",
        "dropout3d": "channel_dropout.Dropout3d",
        "alpha_dropout": "alpha_dropout.AlphaDropout",
        "stochastic_depth": "stochastic_depth.StochasticDepth",
        "relu": "relu.ReLU",
        "relu6": "hard_activation.ReLU6",
        "leaky_relu": "activation.LeakyReLU",
        "prelu": "prelu.PReLU",
        "elu": "activation.ELU",
        "silu": "sigmoid.SiLU",
        "gelu": "gelu.GELU",
        "hardswish": "hard_activation.Hardswish",
        "hardsigmoid": "hard_activation.Hardsigmoid",
        "sigmoid": "sigmoid.Sigmoid",
        "tanh": "sigmoid.Tanh",
        "softmax": "softmax.Softmax",
        "log_softmax": "activation.LogSoftmax",
        "mish": "activation.Mish",
        "selu": "activation.SELU",
        "celu": "activation.CELU",
        "softplus": "activation.Softplus",
        "softsign": "activation.Softsign",
        "log_sigmoid": "activation.LogSigmoid",
        "hardtanh": "hard_activation.Hardtanh",
        "glu": "activation.GLU",
        "exp": "exponential.Exp",
        "log": "exponential.Log",
        "sqrt": "elementwise.Sqrt",
        "rsqrt": "elementwise.Rsqrt",
        "abs": "elementwise.Abs",
        "neg": "elementwise.Neg",
        "sign": "elementwise.Sign",
        "square": "elementwise.Square",
        "reciprocal": "elementwise.Reciprocal",
        "sin": "elementwise.Sin",
        "cos": "elementwise.Cos",
        "erf": "elementwise.Erf",
        "pow": "elementwise.Pow",
        "clamp": "clamp.Clamp",
        "max_pool2d": "pooling.MaxPool2d",
        "avg_pool2d": "avg_pooling.AvgPool2d",
        "adaptive_avg_pool2d": "adaptive_pooling.AdaptiveAvgPool2d",
        "adaptive_max_pool2d": "adaptive_max_pooling.AdaptiveMaxPool2d",
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
        "sum": "statistics.Sum",
        "max": "statistics.Max",
        "min": "statistics.Min",
        "var": "statistics.Var",
        "std": "statistics.Std",
        "logsumexp": "statistics.LogSumExp",
        "vector_norm": "statistics.VectorNorm",
        "add": "arithmetic.Add",
        "sub": "ordered_arithmetic.Sub",
        "mul": "arithmetic.Mul",
        "addcmul": "addcmul.AddCMul",
        "div": "ordered_arithmetic.Div",
        "maximum": "extremes.Maximum",
        "minimum": "extremes.Minimum",
        "cat": "joining.Cat",
        "stack": "stack.Stack",
        "chunk": "splitting.Chunk",
        "split": "splitting.Split",
        "select": "indexing.Select",
        "slice": "indexing.Slice",
        "index": "index.Index",
        "expand": "expand.Expand",
        "pad": "pad.Pad",
        "roll": "roll.Roll",
        "flip": "flip.Flip",
        "cumsum": "cumulative.CumSum",
        "tile": "repetition.Tile",
        "repeat_interleave": "repetition.RepeatInterleave",
        "flatten": "flatten.Flatten",
        "identity": "identity.Identity",
        "contiguous": "identity.Contiguous",
        "permute": "permute.Permute",
        "flatten_batch": "batch_flattening.FlattenBatch",
        "unflatten_batch": "batch_flattening.UnflattenBatch",
        "rearrange": "rearrange.Rearrange",
        "channel_shuffle": "channel_shuffle.ChannelShuffle",
        "unfold": "unfolding.Unfold",
        "fold": "unfolding.Fold",
        "sliding_window": "unfolding.SlidingWindow",
        "pixel_shuffle": "unfolding.PixelShuffle",
        "pixel_unshuffle": "unfolding.PixelUnshuffle",
        "channel_affine": "channel_affine.ChannelAffine",
        "parameter": "parameter.Parameter",
        "buffer": "buffer.Buffer",
    }
)
"""The file and the class of each op."""
