"""The ops: one class for each, listed here by its name in specs."""

from __future__ import annotations

from functools import cache
from typing import Final

from archspec.ops.activation import (
    ELU,
    GELU,
    Hardsigmoid,
    Hardswish,
    LeakyReLU,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)  # fmt: skip
from archspec.ops.arithmetic import Add, Clamp, Div, Exp, Mul, Sub
from archspec.ops.attention import ScaledDotProductAttention
from archspec.ops.base import Op
from archspec.ops.convolution import Conv2d, ConvTranspose2d, Linear
from archspec.ops.interpolation import Interpolate, Upsample
from archspec.ops.joining import (
    Cat,
    ChannelAffine,
    ChannelShuffle,
    Chunk,
    Flatten,
    Identity,
    Parameter,
    Permute,
    Split,
    Stack,
)
from archspec.ops.matmul import MatMul
from archspec.ops.normalisation import (
    BatchNorm1d,
    BatchNorm2d,
    Dropout,
    Dropout2d,
    GroupNorm,
    LayerNorm,
    LayerNorm2d,
    Normalize,
    RMSNorm,
    StochasticDepth,
)  # fmt: skip
from archspec.ops.pooling import AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, MaxPool2d
from archspec.ops.rearrange import Rearrange
from archspec.ops.reduction import Max, Mean, Sum
from archspec.ops.tensor import Expand, Pad, Roll, Select, Slice

OPS: Final[dict[str, type[Op]]] = {
    op.kind: op
    for op in (
        Conv2d, ConvTranspose2d, Linear, MatMul, ScaledDotProductAttention,
        BatchNorm1d, BatchNorm2d, GroupNorm, LayerNorm, LayerNorm2d, RMSNorm, Normalize,
        Dropout, Dropout2d, StochasticDepth,
        ReLU, ReLU6, LeakyReLU, PReLU, ELU, SiLU, GELU, Hardswish, Hardsigmoid, Sigmoid, Tanh, Softmax, Exp, Clamp,
        MaxPool2d, AvgPool2d, AdaptiveAvgPool2d, AdaptiveMaxPool2d, Upsample, Interpolate, Mean, Sum, Max,
        Add, Sub, Mul, Div, Cat, Stack, Chunk, Split, Select, Slice, Expand, Pad, Roll,
        Flatten, Identity, Permute, Rearrange, ChannelShuffle, ChannelAffine, Parameter,
    )
}  # fmt: skip


def attributes_of(kind: str) -> frozenset[str]:
    """The attributes of an op's torch module, which expressions in initialisation rules may use."""
    return frozenset(OPS[kind].model_fields) | OPS[kind].attributes


def module_attributes() -> frozenset[str]:
    """The attributes of all ops' modules."""
    return _module_attributes(tuple(OPS))


def helper_names() -> frozenset[str]:
    """Helper functions and classes that ops need beside torch: names that generated source reserves."""
    return _helper_names(tuple(OPS.values()))


@cache
def _module_attributes(kinds: tuple[str, ...]) -> frozenset[str]:
    return frozenset().union(*(attributes_of(kind) for kind in kinds if OPS[kind].module is not None))


@cache
def _helper_names(ops: tuple[type[Op], ...]) -> frozenset[str]:
    return frozenset(helper.partition(":")[2] for op in ops for helper in op.helpers)
