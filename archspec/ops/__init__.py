"""The closed vocabulary: one class per op, listed here by the name it has in specs."""

from __future__ import annotations

from typing import Final

from archspec.ops.activation import (
    ELU,
    GELU,
    Hardsigmoid,
    Hardswish,
    LeakyReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)  # fmt: skip
from archspec.ops.base import Op
from archspec.ops.convolution import Conv2d, ConvTranspose2d, Linear
from archspec.ops.joining import (
    Add,
    Cat,
    ChannelAffine,
    ChannelShuffle,
    Chunk,
    Flatten,
    Identity,
    Mul,
    Parameter,
    Permute,
    Sub,
)
from archspec.ops.normalisation import (
    BatchNorm1d,
    BatchNorm2d,
    Dropout,
    Dropout2d,
    GroupNorm,
    LayerNorm,
    LayerNorm2d,
    StochasticDepth,
)  # fmt: skip
from archspec.ops.pooling import AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, MaxPool2d, Mean, Upsample

OPS: Final[dict[str, type[Op]]] = {
    op.kind: op
    for op in (
        Conv2d, ConvTranspose2d, Linear,
        BatchNorm1d, BatchNorm2d, GroupNorm, LayerNorm, LayerNorm2d, Dropout, Dropout2d, StochasticDepth,
        ReLU, ReLU6, LeakyReLU, ELU, SiLU, GELU, Hardswish, Hardsigmoid, Sigmoid, Tanh, Softmax,
        MaxPool2d, AvgPool2d, AdaptiveAvgPool2d, AdaptiveMaxPool2d, Upsample, Mean,
        Add, Sub, Mul, Cat, Chunk, Flatten, Identity, Permute, ChannelShuffle, ChannelAffine, Parameter,
    )
}  # fmt: skip
