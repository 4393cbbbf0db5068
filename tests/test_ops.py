"""Every op against torch: shapes, tensors, MACs, defaults and refusals, for random attributes."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
import torch
from buffer_values import buffer
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from archspec.backends.torch import helpers as layers
from archspec.backends.torch.build import computed
from archspec.backends.torch.program import resolve
from archspec.ops import OPS
from archspec.ops.base import Op
from archspec.ops.call import ALL_INPUTS, TRAINING, Call, Input, InTraining
from archspec.ops.shapes import Integers, Shape, ShapeError, Unbatched, Value

BATCH = 2

Draw = st.DrawFn
Case = tuple[dict[str, Any], list[Shape]]
"""The attributes of an op, and the shapes of its inputs."""


Stricter = Callable[[dict[str, Any], list[Shape]], bool]


def as_strict(attributes: dict[str, Any], shapes: list[Shape]) -> bool:
    return False


@dataclass(frozen=True)
class Row:
    """How to test one op: what to draw, and which cases it refuses on purpose although torch accepts them."""

    cases: st.SearchStrategy[Case]
    stricter: Stricter = as_strict


def pairs(least: int, most: int) -> st.SearchStrategy[int | tuple[int, int]]:
    sizes = st.integers(least, most)
    return sizes | st.tuples(sizes, sizes)


def maps(least: int = 1) -> st.SearchStrategy[Shape]:
    return st.tuples(st.integers(1, 6), st.integers(least, 12), st.integers(least, 12))


def values(*ranks: int) -> st.SearchStrategy[Shape]:
    return st.sampled_from(ranks).flatmap(lambda rank: st.tuples(*[st.integers(1, 6)] * rank))


def attributes(required: dict[str, Any] | None = None, **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required or {}, optional=optional)


def one(
    shapes: st.SearchStrategy[Shape],
    given: st.SearchStrategy[dict[str, Any]] | None = None,
    stricter: Stricter = as_strict,
) -> Row:
    return Row(st.tuples(attributes() if given is None else given, st.tuples(shapes).map(list)), stricter)


def activation(**optional: Any) -> Row:
    return one(values(1, 2, 3), attributes(**optional))


SIZES = st.integers(1, 8)
WEIGHTS = st.floats(0, 1)
CONVOLUTION: dict[str, Any] = {
    "stride": pairs(1, 3), "padding": pairs(0, 2), "dilation": pairs(1, 2),
    "groups": st.integers(1, 3), "bias": st.booleans(),
}  # fmt: skip
ORDERS = st.permutations(range(4)) | st.permutations(range(3)) | st.lists(st.integers(0, 3), min_size=2, max_size=4)
BATCH_NORM: dict[str, Any] = {
    "eps": st.floats(1e-6, 1e-2), "momentum": WEIGHTS, "affine": st.booleans(), "track_running_stats": st.booleans(),
}  # fmt: skip
POOL: dict[str, Any] = {"stride": pairs(1, 4), "padding": pairs(0, 2), "ceil_mode": st.booleans()}


@st.composite
def joined(draw: Draw) -> Case:
    """Two or more values that agree in all but their channels, or nearly."""
    rest = draw(st.sampled_from([(), (3,), (4, 4), (4, 5)]))
    channels = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    shapes: list[Shape] = [(c, *rest) for c in channels]
    dim = draw(st.just({}) | st.fixed_dictionaries({"dim": DIMS}))
    return dim, [*shapes, *draw(st.lists(values(len(rest) + 1), max_size=1))]


@st.composite
def several(draw: Draw) -> Case:
    """Values of one rank, mostly of sizes that agree or are 1; or a value and a number."""
    shape = draw(values(1, 2, 3))
    near = st.tuples(*(st.sampled_from([size, size, 1]) for size in shape))
    if draw(st.booleans()):
        return {"value": draw(st.floats(-4, 4))}, [shape]
    return {}, [shape, *draw(st.lists(near | values(len(shape)), min_size=1, max_size=3))]


@st.composite
def three(draw: Draw) -> Case:
    """Three values of one rank, mostly of sizes that agree or are 1, and a factor."""
    shape = draw(values(1, 2, 3))
    near = st.tuples(*(st.sampled_from([size, size, 1]) for size in shape)) | values(len(shape))
    return draw(attributes(value=st.floats(-4, 4))), [shape, draw(near), draw(near)]


DIMS = st.integers(-4, 4)
MODES = ("nearest", "linear", "bilinear", "bicubic", "trilinear", "area", "nearest-exact")
FACTORS = st.floats(0.2, 3) | st.integers(1, 3)


@st.composite
def resized(draw: Draw) -> Case:
    """A map of one to three dimensions, and how large it becomes."""
    rank = draw(st.sampled_from([1, 2, 2, 2, 3]))
    shape = tuple(draw(st.integers(1, 9)) for _ in range(rank + 1))
    many = draw(st.sampled_from([rank, rank, rank, 1, 2]))
    given: dict[str, Any] = draw(
        st.fixed_dictionaries({"size": SIZES | st.lists(SIZES, min_size=many, max_size=many)})
        | st.fixed_dictionaries(
            {"scale_factor": FACTORS | st.lists(FACTORS, min_size=many, max_size=many)},
            optional={"recompute_scale_factor": st.booleans()},
        )
    )
    given |= draw(attributes(mode=st.sampled_from(MODES), align_corners=st.booleans()))
    return given, [shape]


def is_left_alone(attributes: dict[str, Any], shapes: list[Shape]) -> bool:
    """Whether an argument without effect is given: torch accepts align_corners: false for any mode."""
    linear = attributes.get("mode", "nearest") in ("linear", "bilinear", "bicubic", "trilinear")
    return attributes.get("align_corners") is False and not linear


@st.composite
def stacked(draw: Draw) -> Case:
    """Values of one shape, or nearly."""
    shape = draw(values(1, 2, 3))
    others = draw(st.lists(st.just(shape) | st.just(shape) | values(len(shape)), max_size=3))
    return {"dim": draw(DIMS)}, [shape, *others]


@st.composite
def split_up(draw: Draw) -> Case:
    """A value and sizes that add up to one of its dimensions, or nearly; or a number of parts."""
    shape, dim = draw(values(1, 2, 3)), draw(DIMS)
    if draw(st.booleans()):
        return {"sections": draw(st.integers(1, 4)), "dim": dim}, [shape]
    size = (2, *shape)[dim] if -len(shape) - 1 <= dim <= len(shape) else 3
    first = draw(st.integers(1, max(1, size - 1)))
    return {"sizes": draw(st.sampled_from([[size], [first, max(1, size - first)], [1, 2]])), "dim": dim}, [shape]


@st.composite
def padded(draw: Draw) -> Case:
    """A value, and numbers for its last dimensions."""
    shape = draw(values(1, 2, 3))
    numbers = draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=4))
    mode = draw(st.sampled_from(["constant", "reflect", "replicate", "circular"]))
    value = {"value": draw(st.floats(-2, 2))} if mode == "constant" else {}
    return {"pad": [n for pair in numbers for n in pair], "mode": mode, **value}, [shape]


@st.composite
def rolled(draw: Draw) -> Case:
    dims = draw(st.lists(DIMS, min_size=1, max_size=3))
    return {"shifts": [draw(st.integers(-9, 9)) for _ in dims], "dims": dims}, [draw(values(1, 2, 3))]


@st.composite
def expanded(draw: Draw) -> Case:
    shape = draw(st.tuples(*[st.sampled_from([1, 1, 3])] * draw(st.integers(1, 3))))
    return {"size": [draw(st.sampled_from([-1, size, 4])) for size in shape]}, [shape]


@st.composite
def multiplied(draw: Draw) -> Case:
    """Two values that end with matrices which mostly fit."""
    rows, inner, columns = (draw(st.integers(1, 4)) for _ in range(3))
    leading = draw(st.sampled_from([(), (3,), (1,), (2, 3)]))
    other = draw(st.sampled_from([leading, leading, tuple(1 for _ in leading), (2,)]))
    transpose = draw(st.booleans())
    right = (columns, inner) if transpose else (inner, columns)
    if draw(st.integers(0, 4)) == 0:
        right = right[::-1]
    return {"transpose_b": transpose}, [(*leading, rows, inner), (*other, *right)]


@st.composite
def summed(draw: Draw) -> Case:
    """Values whose dimensions have letters, and mostly the sizes of these."""
    sizes = dict(zip("ijkl", draw(st.tuples(*[st.integers(1, 4)] * 4)), strict=True))
    sides = draw(st.lists(st.lists(st.sampled_from("ijkl"), max_size=3, unique=True), min_size=1, max_size=2))
    every = sorted({letter for side in sides for letter in side})
    result = draw(st.permutations(every).flatmap(lambda order: st.integers(0, len(order)).map(lambda n: order[:n])))
    shapes: list[Shape] = [tuple(sizes[letter] for letter in side) for side in sides]
    if shapes[0] and draw(st.integers(0, 4)) == 0:
        shapes[0] = (*shapes[0][:-1], 5)
    return {"equation": f"{','.join(map(''.join, sides))}->{''.join(result)}"}, shapes


@st.composite
def queried(draw: Draw) -> Case:
    """A query, a key and a value that mostly fit."""
    leading = draw(st.lists(st.integers(1, 3), max_size=3))
    sizes = draw(st.lists(st.integers(1, 4), min_size=4, max_size=4))
    rows, positions, features, width = sizes
    inputs = [(rows, features), (positions, features), (positions, width)]
    if draw(st.integers(0, 4)) == 0:
        inputs[1] = draw(st.sampled_from([(positions, features + 1), (positions + 1, features)]))
    heads = [[*leading[:-1], draw(st.sampled_from([leading[-1], leading[-1], 1]))] if leading else [] for _ in range(2)]
    fields = attributes(
        causal=st.booleans(), scale=st.floats(0.1, 2), dropout=st.sampled_from([0.0, 0.5]), folded=st.booleans()
    )
    return draw(fields), [(*before, *shape) for before, shape in zip((leading, *heads), inputs, strict=True)]


@st.composite
def with_heads(draw: Draw) -> Case:
    """A value, or a query, a key and a value that mostly fit."""
    rows, positions, heads = (draw(st.integers(1, 4)) for _ in range(3))
    features = heads * draw(st.integers(1, 3)) + (draw(st.integers(0, 5)) == 0)
    same = draw(st.booleans())
    kdim, vdim = (features if same else draw(st.integers(1, 4)) for _ in range(2))
    shapes: list[Shape] = [(rows, features), (positions, kdim), (positions, vdim)]
    if draw(st.integers(0, 4)) == 0:
        shapes[2] = (positions + 1, vdim)
    flags = dict.fromkeys(("bias", "add_bias_kv", "add_zero_attn"), st.booleans())
    given = draw(attributes({"num_heads": st.just(heads)}, dropout=st.floats(0, 0.5), **flags))
    return given, shapes[: draw(st.sampled_from([1, 3]))]


def moves_the_batch(attributes: dict[str, Any], shapes: list[Shape]) -> bool:
    """Whether a dimension is the batch."""
    rank = len(shapes[0]) + 1
    given = attributes.get("dims", attributes.get("dim"))
    return any(dim % rank == 0 for dim in (given if isinstance(given, list) else [given or 0]))


def moves_the_batch_or_none(attributes: dict[str, Any], shapes: list[Shape]) -> bool:
    """Whether a dimension is the batch, or none of the value's, which cannot be spelled."""
    return moves_the_batch(attributes, shapes) or not -len(shapes[0]) - 1 <= attributes["dim"] <= len(shapes[0])


def stacks_on_the_batch(attributes: dict[str, Any], shapes: list[Shape]) -> bool:
    return attributes["dim"] in (0, -len(shapes[0]) - 2)


def rounded(attributes: dict[str, Any], shapes: list[Shape]) -> bool:
    """Whether parts would be unequal, or a slice shorter than it says: torch takes what there is."""
    return attributes.get("sections") is not None or "start" in attributes or moves_the_batch(attributes, shapes)


def pads_the_batch(attributes: dict[str, Any], shapes: list[Shape]) -> bool:
    return len(attributes["pad"]) > 2 * len(shapes[0])


def over_the_width(attributes: dict[str, Any], shapes: list[Shape]) -> bool:
    """Whether a norm would be over the width of a map, or over the batch."""
    number = attributes.get("num_dims", 1)
    return bool((len(shapes[0]) == 3 and number == 1) or number > len(shapes[0]))


def numbers(rank: int, least: int, most: int) -> st.SearchStrategy[Any]:
    """A number for all axes, or one for each."""
    sizes = st.integers(least, most)
    return sizes if rank == 1 else sizes | st.tuples(*[sizes] * rank)


def space(rank: int, least: int = 1, most: int = 9) -> st.SearchStrategy[Shape]:
    """Channels and so many axes; now and then one more."""
    sizes = st.integers(least, most if rank < 3 else 6)
    right = st.tuples(st.integers(1, 6), *[sizes] * rank)
    return st.one_of(right, right, right, st.tuples(st.integers(1, 6), *[sizes] * (rank % 3 + 1)))


def is_taken_for_another(attributes: dict[str, Any], shapes: list[Shape], rank: int = 2) -> bool:
    """Whether a value has more axes or fewer: torch may take the batch for channels, or the channels for a batch."""
    return len(shapes[0]) != rank + 1


def convolution(rank: int) -> Row:
    fields = {
        **CONVOLUTION, "stride": numbers(rank, 1, 3), "dilation": numbers(rank, 1, 2),
        "padding": numbers(rank, 0, 2) | st.sampled_from(["same", "valid"]),
        "padding_mode": st.sampled_from(["zeros", "zeros", "reflect", "replicate", "circular"]),
    }  # fmt: skip
    required = {"out_channels": SIZES, "kernel_size": numbers(rank, 1, 4)}
    return one(space(rank), attributes(required, **fields), stricter=partial(is_taken_for_another, rank=rank))


def transposed(rank: int) -> Row:
    def stricter(given: dict[str, Any], shapes: list[Shape]) -> bool:
        taken = is_taken_for_another(given, shapes, rank)
        return taken or yields_nothing(f"conv_transpose{rank}d", given, shapes)

    fields = {
        **CONVOLUTION, "stride": numbers(rank, 1, 3), "dilation": numbers(rank, 1, 2), "padding": numbers(rank, 0, 2),
        "output_padding": numbers(rank, 0, 2),
    }  # fmt: skip
    return one(
        space(rank),
        attributes({"out_channels": SIZES, "kernel_size": numbers(rank, 1, 4)}, **fields),
        stricter=stricter,
    )


def pool(rank: int, **more: Any) -> Row:
    """A pool over a sliding window."""
    fields = {"stride": numbers(rank, 1, 4), "padding": numbers(rank, 0, 2), "ceil_mode": st.booleans(), **more}
    return one(
        space(rank), attributes({"kernel_size": numbers(rank, 1, 4)}, **fields),
        stricter=partial(is_taken_for_another, rank=rank),
    )  # fmt: skip


def of_rank(rank: int, fields: dict[str, Any], required: dict[str, Any] | None = None) -> Row:
    taken = partial(is_taken_for_another, rank=rank)
    return one(space(rank), attributes(required, **fields), stricter=taken)


WINDOWS: dict[str, Any] = {"dilation": pairs(1, 2), "padding": pairs(0, 2), "stride": pairs(1, 2)}
INSTANCE_NORM: dict[str, Any] = {**BATCH_NORM, "eps": st.floats(1e-6, 1e-2)}


@st.composite
def folded(draw: Draw) -> Case:
    """Windows as columns, mostly as many as a map has."""
    given = draw(attributes({"output_size": pairs(1, 6), "kernel_size": pairs(1, 3)}, **WINDOWS))
    size = given["output_size"]
    windows = OPS["unfold"].model_validate({key: value for key, value in given.items() if key != "output_size"})
    rows, columns = 4, 4
    with suppress(ShapeError):
        shape: Any = windows.infer((2, *((size, size) if isinstance(size, int) else size)))
        rows, columns = shape
    near = [(rows, columns), (rows, columns), (rows, columns), (rows, columns + 1), (rows + 1, columns)]
    return given, [draw(st.sampled_from(near))]


ROWS: dict[str, Row] = {
    **{f"conv{rank}d": convolution(rank) for rank in (1, 2, 3)},
    **{f"conv_transpose{rank}d": transposed(rank) for rank in (1, 2, 3)},
    "linear": one(values(1, 2), attributes({"out_features": SIZES}, bias=st.booleans())),
    "batch_norm1d": one(values(1, 2), attributes(**BATCH_NORM)),
    "batch_norm2d": one(maps(), attributes(**BATCH_NORM)),
    "batch_norm3d": of_rank(3, BATCH_NORM),
    **{f"instance_norm{rank}d": of_rank(rank, INSTANCE_NORM) for rank in (1, 2, 3)},
    "group_norm": one(
        values(1, 2, 3),
        attributes(
            {"num_groups": st.integers(1, 3)}, eps=st.floats(1e-6, 1e-2), affine=st.booleans(), bias=st.booleans()
        ),
    ),
    "layer_norm": one(
        values(1, 2, 3),
        attributes(
            eps=st.floats(1e-6, 1e-2), num_dims=st.integers(1, 3), elementwise_affine=st.booleans(), bias=st.booleans()
        ),
        stricter=over_the_width,
    ),
    "rms_norm": one(
        values(1, 2, 3),
        attributes(eps=st.floats(1e-6, 1e-2), num_dims=st.integers(1, 3), elementwise_affine=st.booleans()),
        stricter=over_the_width,
    ),
    "normalize": one(
        values(1, 2, 3), attributes({"dim": DIMS}, p=st.floats(1, 3), eps=st.floats(1e-8, 1)), stricter=moves_the_batch
    ),
    "layer_norm2d": one(maps(), attributes(eps=st.floats(1e-6, 1e-2), bias=st.booleans())),
    "stochastic_depth": one(values(1, 2, 3), attributes({"p": WEIGHTS}, mode=st.sampled_from(["row", "batch"]))),
    "dropout": one(values(1, 2, 3), attributes(p=WEIGHTS)),
    "dropout2d": one(maps(), attributes(p=WEIGHTS)),
    "dropout1d": of_rank(1, {"p": WEIGHTS}),
    "dropout3d": of_rank(3, {"p": WEIGHTS}),
    "alpha_dropout": one(values(1, 2, 3), attributes(p=WEIGHTS)),
    "mish": activation(),
    "selu": activation(),
    "celu": activation(alpha=st.floats(0.1, 2)),
    "softplus": activation(beta=st.floats(0.5, 2), threshold=st.floats(10, 30)),
    "softsign": activation(),
    "log_sigmoid": activation(),
    "hardtanh": activation(min_val=st.floats(-2, -0.5), max_val=st.floats(0, 2)),
    "log_softmax": one(values(1, 2, 3), attributes({"dim": DIMS}), stricter=moves_the_batch),
    "glu": one(values(1, 2, 3), attributes({"dim": DIMS}), stricter=moves_the_batch),
    **{
        kind: activation()
        for kind in ("log", "sqrt", "rsqrt", "abs", "neg", "sign", "square", "reciprocal", "sin", "cos", "erf")
    },
    "pow": one(
        values(1, 2, 3),
        attributes({"exponent": st.integers(0, 3) | st.floats(0.5, 3)})
        | attributes({"base": st.integers(1, 3) | st.floats(0.5, 3)}),
    ),
    "cumsum": one(values(1, 2, 3), attributes({"dim": DIMS}), stricter=moves_the_batch),
    "contiguous": one(values(1, 2, 3)),
    "flip": one(
        values(1, 2, 3), attributes({"dims": st.lists(DIMS, min_size=1, max_size=2)}), stricter=moves_the_batch
    ),
    "sliding_window": one(
        values(1, 2, 3),
        attributes({"dim": DIMS, "size": st.integers(1, 4)}, step=st.integers(1, 3)),
        stricter=moves_the_batch,
    ),
    "einsum": Row(summed(), stricter=lambda given, shapes: 5 in shapes[0]),  # torch broadcasts sizes of 1
    "unfold": one(maps(), attributes({"kernel_size": pairs(1, 3)}, **WINDOWS)),
    "fold": Row(folded()),
    "pixel_shuffle": one(maps(), attributes({"upscale_factor": st.integers(1, 2)})),
    "pixel_unshuffle": one(maps(), attributes({"downscale_factor": st.integers(1, 3)})),
    **{f"max_pool{rank}d": pool(rank, dilation=numbers(rank, 1, 2)) for rank in (1, 3)},
    **{f"avg_pool{rank}d": pool(rank, count_include_pad=st.booleans()) for rank in (1, 3)},
    **{
        f"adaptive_{kind}_pool{rank}d": of_rank(rank, {}, {"output_size": numbers(rank, 1, 8)})
        for rank in (1, 3)
        for kind in ("avg", "max")
    },
    **{
        f"lp_pool{rank}d": of_rank(
            rank,
            {"stride": numbers(rank, 1, 3), "ceil_mode": st.booleans()},
            {"norm_type": st.sampled_from([1, 2, 3.0]), "kernel_size": numbers(rank, 1, 3)},
        )
        for rank in (1, 2, 3)
    },
    "relu": activation(),
    "relu6": activation(),
    "leaky_relu": activation(negative_slope=st.floats(0, 2)),
    "elu": activation(alpha=st.floats(0.1, 2)),
    "silu": activation(),
    "gelu": activation(approximate=st.sampled_from(["none", "tanh"])),
    "prelu": one(values(1, 2, 3), attributes(num_parameters=st.integers(1, 3), init=st.floats(0, 1))),
    "exp": activation(),
    "clamp": one(values(1, 2, 3), attributes({"min": st.floats(-2, 0)}, max=st.floats(0, 2))),
    "hardswish": activation(),
    "hardsigmoid": activation(),
    "sigmoid": activation(),
    "tanh": activation(),
    "softmax": one(values(1, 2, 3), attributes({"dim": DIMS}), stricter=moves_the_batch),
    "max_pool2d": one(maps(), attributes({"kernel_size": pairs(1, 4)}, dilation=pairs(1, 2), **POOL)),
    "avg_pool2d": one(maps(), attributes({"kernel_size": pairs(1, 4)}, count_include_pad=st.booleans(), **POOL)),
    "adaptive_avg_pool2d": one(maps(), attributes({"output_size": pairs(1, 8)})),
    "adaptive_max_pool2d": one(maps(), attributes({"output_size": pairs(1, 8)})),
    "upsample": Row(resized(), stricter=is_left_alone),
    "interpolate": Row(resized(), stricter=is_left_alone),
    **{
        kind: one(
            values(1, 2, 3),
            attributes({"dim": st.lists(DIMS, min_size=1, max_size=3)}, keepdim=st.booleans()),
            stricter=moves_the_batch,
        )
        for kind in ("mean", "sum", "max", "min", "logsumexp")
    },
    "vector_norm": one(
        values(1, 2, 3),
        attributes(
            {"dim": st.lists(DIMS, min_size=1, max_size=3)}, keepdim=st.booleans(), ord=st.sampled_from([1.0, 2.0, 3.5])
        ),
        stricter=moves_the_batch,
    ),
    **{
        kind: one(
            values(1, 2, 3),
            attributes(
                {"dim": st.lists(DIMS, min_size=1, max_size=3)}, keepdim=st.booleans(), correction=st.integers(0, 2)
            ),
            stricter=moves_the_batch,
        )
        for kind in ("var", "std")
    },
    "add": Row(several()),
    "sub": Row(several()),
    "mul": Row(several()),
    "div": Row(several()),
    "addcmul": Row(three()),
    "maximum": Row(several().filter(lambda case: len(case[1]) > 1)),
    "minimum": Row(several().filter(lambda case: len(case[1]) > 1)),
    "tile": one(
        values(1, 2, 3),
        attributes({"repeats": st.lists(st.integers(1, 3), min_size=1, max_size=4)}),
        stricter=lambda given, shapes: len(given["repeats"]) > len(shapes[0]),
    ),
    "repeat_interleave": one(
        values(1, 2, 3), attributes({"dim": DIMS, "repeats": st.integers(1, 4)}), stricter=moves_the_batch
    ),
    "matmul": Row(multiplied(), stricter=lambda given, shapes: len(shapes[0]) != len(shapes[1])),
    "scaled_dot_product_attention": Row(queried(), stricter=lambda given, shapes: shapes[1][-2] != shapes[2][-2]),
    "multi_head_attention": Row(with_heads()),
    "cat": Row(joined(), stricter=lambda given, shapes: given.get("dim") in (0, -len(shapes[0]) - 1)),
    "stack": Row(stacked(), stricter=stacks_on_the_batch),
    "split": Row(split_up(), stricter=rounded),
    "select": one(
        values(1, 2, 3), attributes({"dim": DIMS, "position": st.integers(-7, 7)}), stricter=moves_the_batch_or_none
    ),
    "slice": one(
        values(1, 2, 3),
        attributes(
            {"dim": DIMS, "start": st.integers(-7, 7)}, stop=st.integers(-7, 7) | st.none(), step=st.integers(1, 3)
        ),
        stricter=rounded,
    ),
    "expand": Row(expanded()),
    "pad": Row(padded(), stricter=pads_the_batch),
    "roll": Row(rolled(), stricter=moves_the_batch),
    "chunk": one(
        values(1, 2, 3),
        attributes({"chunks": st.integers(1, 4)}),
        stricter=lambda given, shapes: shapes[0][0] % int(given["chunks"]) != 0,
    ),
    "flatten": one(values(1, 2, 3)),
    "permute": one(
        values(1, 2, 3, 4),
        attributes(
            {
                "dims": st.sampled_from((3, 4, 5)).flatmap(lambda count: st.permutations(range(count)))
                | st.lists(st.integers(0, 4), min_size=2)
            }
        ),
        stricter=lambda given, shapes: given["dims"][0] != 0,  # the batch would move
    ),
    "identity": one(values(1, 2, 3)),
    "channel_shuffle": one(maps(), attributes({"groups": st.integers(1, 3)})),
}

COUNTED = [
    *(f"conv{kind}{rank}d" for kind in ("", "_transpose") for rank in (1, 2, 3)),
    "linear",
    "matmul",
    "einsum",
    "scaled_dot_product_attention",
    "multi_head_attention",
]
"""Ops that have multiply-accumulates."""

FUNCTIONAL = {*(f"functional_conv{rank}d" for rank in (1, 2, 3)), "functional_linear", "functional_instance_norm"}
"""Ops whose weights have no batch; their tests are in test_functional_ops.py."""

SPECIAL = {"channel_affine", "embedding", "parameter", "buffer", "index", "rearrange",
           "flatten_batch", "unflatten_batch", *FUNCTIONAL}  # fmt: skip
"""Ops that torch has no counterpart of, or that take integers; they have tests of their own below, or elsewhere."""


def test_every_op_has_a_row() -> None:
    assert ROWS.keys() | SPECIAL == OPS.keys()


def build(op: Op, shapes: list[Shape]) -> nn.Module:
    """The torch module of an op, as generated code spells it: without the arguments that equal torch's defaults."""
    assert op.module is not None
    given = op.constructor(*shapes)
    positional = [argument.value for argument in given if argument.positional]
    named = {a.name: a.value for a in given if not a.positional and a.value != a.default}
    return module_class(op.module)(*positional, **named)


def module_class(spelled: str) -> Callable[..., nn.Module]:
    """A module by its name in generated code: torch's (`nn.Conv2d`), or one of archspec's own layers."""
    home = nn if spelled.startswith("nn.") else layers
    found: type[nn.Module] = getattr(home, spelled.removeprefix("nn."))
    return found


HOMES = {"F": functional, "torch.linalg": torch.linalg, "torch": torch, "Tensor": Tensor, "operator": operator}


def run(op: Op, module: nn.Module, inputs: list[Tensor]) -> Any:
    """The torch module of an op, called."""
    spelled = op.module_call(*[tuple(value.shape[1:]) for value in inputs])
    if spelled is None:
        return module(*inputs)
    args = [_argument(value, inputs) for value in spelled.args]
    found = module(*args, **{key: _argument(value, inputs) for key, value in spelled.kwargs.items()})
    return found if spelled.part is None else found[spelled.part]


def call(op: Op, inputs: list[Tensor]) -> Any:
    """The torch function of an op, called."""
    spelled = op.function(*[tuple(value.shape[1:]) for value in inputs])
    assert spelled is not None
    return called(spelled, inputs)


def called(spelled: Call, inputs: list[Tensor]) -> Any:
    home, _, name = spelled.target.rpartition(".")
    if spelled.target == "Tensor.shape":
        return list(_argument(spelled.args[0], inputs).shape[spelled.args[1] :])
    function = getattr(HOMES[home], name)
    args = [_argument(value, inputs) for value in spelled.args]
    return function(*args, **{key: _argument(value, inputs) for key, value in spelled.kwargs.items()})


def _argument(value: Any, inputs: list[Tensor]) -> Any:
    if isinstance(value, Call):
        return called(value, inputs)
    if value == ALL_INPUTS:
        return inputs
    if isinstance(value, Input):
        return inputs[value.index]
    return True if value == TRAINING else value.value if isinstance(value, InTraining) else value


def shape_of(output: Any) -> Value:
    """A torch result's shape without the batch."""
    if isinstance(output, Tensor):
        assert output.shape[0] == BATCH
        return tuple(output.shape[1:])
    return tuple(tuple(part.shape[1:]) for part in output)


def tensors(shapes: list[Shape]) -> list[Tensor]:
    return [torch.randn(BATCH, *shape) for shape in shapes]


def accepted(kind: str, given: dict[str, Any], shapes: list[Shape]) -> Op | None:
    """The op, or `None` where archspec refuses the attributes or the inputs."""
    try:
        op = OPS[kind].model_validate(given)
        op.infer(*shapes)
    except (ValidationError, ShapeError):
        return None
    return op


def observe(kind: str, given: dict[str, Any], shapes: list[Shape]) -> list[tuple[Value, dict[str, Shape]]]:
    """Torch's results for a case: the output's shape and the state_dict, for the module and for the function."""
    op = OPS[kind].model_construct(**given)
    found: list[tuple[Value, dict[str, Shape]]] = []
    if op.module is not None:
        module = build(op, shapes)
        state = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
        found.append((shape_of(run(op, module, tensors(shapes))), state))
    if op.function(*shapes) is not None:
        found.append((shape_of(call(op, tensors(shapes))), {}))
    return found


def refuses(kind: str, given: dict[str, Any], shapes: list[Shape]) -> bool:
    try:
        observe(kind, given, shapes)
    except (RuntimeError, ValueError, IndexError, AssertionError, UserWarning):
        return True  # what torch warns of will be an error, or is not finite; its attention asserts
    return False


def yields_nothing(kind: str, given: dict[str, Any], shapes: list[Shape]) -> bool:
    """Whether torch makes an empty tensor, which is no use to any network."""
    return not refuses(kind, given, shapes) and any(0 in shape for shape, _ in observe(kind, given, shapes))


@pytest.mark.parametrize("kind", ROWS)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_like_torch(kind: str, data: st.DataObject) -> None:
    """Both accept a case and agree on it, or both refuse it."""
    attributes, shapes = data.draw(ROWS[kind].cases)
    op = accepted(kind, attributes, shapes)
    if op is None:
        assert ROWS[kind].stricter(attributes, shapes) or refuses(kind, attributes, shapes)
        return
    for shape, state in observe(kind, attributes, shapes):
        assert op.infer(*shapes) == shape
        assert not state or {**op.parameters(*shapes), **op.buffers(*shapes)} == state
        assert not state or [*op.parameters(*shapes), *op.buffers(*shapes)] == list(state)


@pytest.mark.parametrize("kind", [kind for kind in ROWS if OPS[kind].fresh])
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_what_is_fresh_can_be_overwritten(kind: str, data: st.DataObject) -> None:
    """The output is new memory, not a view, and backward does not read it, which autograd would report."""
    attributes, shapes = data.draw(ROWS[kind].cases)
    op = accepted(kind, attributes, shapes)
    if op is None or not op.may_be_overwritten(op.infer(*shapes)):
        return
    ways: list[Callable[[list[Tensor]], Tensor]] = []
    if op.module is not None:
        module = build(op, shapes)
        ways.append(partial(run, op, module))
    if op.function(*shapes) is not None:
        ways.append(partial(call, op))
    for way in ways:
        output = way([x.requires_grad_() for x in tensors(shapes)])
        assert not output._is_view()
        output.add_(1)
        output.sum().backward()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("kind", ROWS)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_tensors_and_learned_tensors(kind: str, data: st.DataObject) -> None:
    """The parameters and buffers of an op are those of its torch module; an op without tensors has none in torch."""
    attributes, shapes = data.draw(ROWS[kind].cases)
    op = accepted(kind, attributes, shapes)
    if op is None or op.module is None:
        return
    module = build(op, shapes)
    assert op.parameters(*shapes) == {name: tuple(p.shape) for name, p in module.named_parameters()}
    assert op.buffers(*shapes) == {name: tuple(b.shape) for name, b in module.named_buffers()}


@pytest.mark.parametrize("kind", sorted(ROWS))
def test_torch_has_the_defaults(kind: str) -> None:
    """An argument left out of generated code must mean to torch what it means here."""
    op = OPS[kind]
    if op.module is None:
        assert op.model_construct().module is None
        return
    torchs = inspect.signature(module_class(op.module)).parameters
    for argument in smallest(kind).constructor((4, 8, 8)):
        assert argument.name in torchs
        pools_step = argument.name == "stride" and op.role == "pool"  # torch writes a pool's as None: its kernel_size
        assert argument.default is ... or torchs[argument.name].default == (None if pools_step else argument.default)


@pytest.mark.parametrize("kind", [kind for kind in ROWS if OPS[kind].has_function() and OPS[kind].model_fields])
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_what_a_call_leaves_out_is_torchs_default(kind: str, data: st.DataObject) -> None:
    """A call with every argument that calls of the function may have is the call without those it leaves out."""
    cases = data.draw(st.lists(ROWS[kind].cases, min_size=3, max_size=3))
    ops = [(op, shapes) for given, shapes in cases if (op := accepted(kind, given, shapes)) is not None]
    calls = [(op, shapes, spelled) for op, shapes in ops if (spelled := op.function(*shapes)) is not None]
    for op, shapes, spelled in calls:
        known = {key for _, _, other in calls if other.target == spelled.target for key in other.kwargs}
        more = {key: op.left_out(key) for key in known - spelled.kwargs.keys()}
        if not more or ... in more.values() or op.is_random():
            continue
        inputs = tensors(shapes)
        plain, whole = (called(call, inputs) for call in (spelled, replace(spelled, kwargs={**more, **spelled.kwargs})))
        torch.testing.assert_close(plain, whole, rtol=0, atol=0, equal_nan=True)


def smallest(kind: str) -> Op:
    """An op with its required fields only."""
    required: dict[str, Any] = {"dim": [1], "dims": [0, 1, 2, 3]}
    more: dict[str, Any] = {"scale_factor": 2} if kind == "upsample" else {}
    return OPS[kind].model_validate({
        name: required.get(name, 1) for name, field in OPS[kind].model_fields.items() if field.is_required()
    } | more)  # fmt: skip


@pytest.mark.parametrize("kind", COUNTED)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_macs(kind: str, data: st.DataObject) -> None:
    """Multiply-accumulates are half of the FLOPs that torch's own counter reports."""
    attributes, shapes = data.draw(ROWS[kind].cases)
    op = accepted(kind, attributes, shapes)
    if op is None:
        return
    inputs = [torch.randn(1, *shape, device="meta") for shape in shapes]
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        call(op, inputs) if op.module is None else run(op, build(op, shapes), inputs)
    assert op.macs(tuple(shapes), op.infer(*shapes)) * 2 == counter.get_total_flops()


@pytest.mark.parametrize("kind", sorted(OPS.keys() - {*COUNTED, *FUNCTIONAL}))
def test_no_macs(kind: str) -> None:
    op = OPS[kind].model_construct()
    assert op.macs(((4, 8, 8),), (4, 8, 8)) == 0


@pytest.mark.parametrize(
    ("kind", "given", "shapes"),
    [
        ("conv2d", {"out_channels": 4, "kernel_size": 3}, [(10,)]),
        ("conv2d", {"out_channels": 4, "kernel_size": 5}, [(3, 4, 4)]),
        ("max_pool2d", {"kernel_size": 3, "stride": 2}, [(3, 2, 2)]),
        ("max_pool2d", {"kernel_size": 3, "stride": 2, "ceil_mode": True}, [(3, 1, 1)]),
        ("conv2d", {"out_channels": 4, "kernel_size": 3, "groups": 2}, [(3, 4, 4)]),
        ("conv2d", {"out_channels": 3, "kernel_size": 3, "groups": 2}, [(4, 4, 4)]),
        ("linear", {"out_features": 4}, [(3, 4, 4)]),
        ("batch_norm1d", {}, [(3, 4, 4)]),
        ("batch_norm2d", {}, [(3,)]),
        ("dropout2d", {}, [(3,)]),
        ("max_pool2d", {"kernel_size": 3, "padding": 2}, [(3, 9, 9)]),
        ("softmax", {"dim": 2}, [(10,)]),
        ("mean", {"dim": [2, 2]}, [(3, 4, 4)]),
        ("mean", {"dim": [4]}, [(3, 4, 4)]),
        ("add", {}, [(3, 4, 4), (3, 2, 1)]),
        ("mul", {}, [(3, 4, 4), (2, 4, 4)]),
        ("add", {}, [(3, 4, 4), (4, 4)]),
        ("mean", {"dim": [0]}, [(3, 4, 4)]),
        ("softmax", {"dim": 0}, [(3, 4, 4)]),
        ("cat", {}, [(3, 4, 4), (3, 4, 5)]),
        ("cat", {}, [(3,), (3, 4, 4)]),
        ("chunk", {"chunks": 2}, [(3, 4, 4)]),
        ("channel_shuffle", {"groups": 2}, [(3, 4, 4)]),
        ("channel_affine", {"scale": [1.0, 2.0], "shift": [0.0, 0.0]}, [(3, 4, 4)]),
        ("channel_affine", {"scale": [1.0], "shift": [0.0]}, [(1,)]),
    ],
)
def test_wrong_shape(kind: str, given: dict[str, Any], shapes: list[Shape]) -> None:
    op = OPS[kind].model_validate(given)
    with pytest.raises(ShapeError):
        op.infer(*shapes)


def test_a_window_may_hang_over_a_small_map() -> None:
    """The last pools of GoogLeNet and SqueezeNet on small pictures."""
    pool = OPS["max_pool2d"].model_validate({"kernel_size": 3, "stride": 2, "ceil_mode": True})
    assert pool.infer((3, 2, 2)) == (3, 1, 1)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("conv2d", {"kernel_size": 3}),
        ("conv2d", {"out_channels": 0, "kernel_size": 3}),
        ("conv2d", {"out_channels": 8, "kernel_size": 0}),
        ("conv2d", {"out_channels": 8, "kernel_size": 3, "stride": 0}),
        ("conv2d", {"out_channels": 8, "kernel_size": 3, "padding": -1}),
        ("conv2d", {"out_channels": 8, "kernel_size": [3, 3, 3]}),
        ("conv2d", {"out_channels": 8, "kernel_size": True}),
        ("conv2d", {"out_channels": 8.0, "kernel_size": 3}),
        ("conv2d", {"out_channels": 1 << 31, "kernel_size": 3}),
        ("linear", {"out_features": 8, "bias": 1}),
        ("dropout", {"p": 1.5}),
        ("dropout", {"p": float("nan")}),
        ("batch_norm2d", {"eps": 0.0}),
        ("batch_norm2d", {"eps": float("inf")}),
        ("leaky_relu", {"negative_slope": float("nan")}),
        ("upsample", {"scale_factor": 2, "mode": "cubic"}),
        ("mean", {"dim": []}),
        ("mean", {"dim": [9]}),
        ("softmax", {"dim": -9}),
        ("relu", {"inplace": True}),
        ("pow", {}),
        ("pow", {"exponent": 2, "base": 2}),
        ("flip", {"dims": []}),
        ("einsum", {"equation": "ij"}),
        ("einsum", {"equation": "ii->i"}),
        ("einsum", {"equation": "ij->ijk"}),
        ("einsum", {"equation": "i,j,k->ijk"}),
        ("functional_conv2d", {"padding": "same", "stride": 2}),
        ("buffer", {"values": []}),
        ("buffer", {"values": [0.5], "dtype": "int64"}),
        ("buffer", {"values": [1], "window_size": 2}),
        ("buffer", {"values": "arange", "shape": [3], "start": 0.5}),
        ("buffer", {"values": "zeros", "shape": [3], "start": 1}),
        ("buffer", {"values": "eye", "shape": [3]}),
        ("channel_affine", {"scale": [float("nan")], "shift": [0.0]}),
    ],
)
def test_wrong_attributes(kind: str, given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OPS[kind].model_validate(given)


def test_a_parameter_has_the_shape_it_is_given() -> None:
    op = OPS["parameter"].model_validate({"shape": [8, 1, 1], "value": 1e-6})
    assert op.infer() == Unbatched((8, 1, 1))
    assert op.infer() != (8, 1, 1)
    assert op.parameters() == {"": (8, 1, 1)}
    assert not op.buffers()


def test_a_bias_that_is_zero_in_part_stays_so() -> None:
    op = OPS["linear"].model_validate({"out_features": 6, "zero_bias": [2, 4]})
    plain: Any = build(OPS["linear"].model_validate({"out_features": 6}), [(5,)])
    arguments = {a.name: a.value for a in op.constructor((5,)) if not a.positional}
    layer: Any = resolve(op.located(str(op.made_by())))(5, 6, **arguments)
    assert isinstance(layer, nn.Linear)
    assert op.parameters((5,)) == {name: tuple(p.shape) for name, p in layer.named_parameters()}
    layer.load_state_dict(plain.state_dict())
    x = torch.randn(3, 5)
    bias = plain.bias.detach().clone()
    bias[2:4] = 0
    assert torch.equal(layer(x), functional.linear(x, plain.weight, bias))
    layer(x).sum().backward()
    gradient: Any = layer.bias.grad
    assert gradient.tolist() == [3, 3, 0, 0, 3, 3]


def test_a_transposed_layer_is_the_same_layer_with_another_weight() -> None:
    op = OPS["linear"].model_validate({"out_features": 6, "transposed": True})
    plain, layer = nn.Linear(5, 6), resolve(op.located(str(op.made_by())))(5, 6)
    assert isinstance(layer, nn.Linear)
    assert op.parameters((5,)) == {name: tuple(p.shape) for name, p in layer.named_parameters()}
    layer.load_state_dict({"weight": plain.weight.T, "bias": plain.bias})
    x = torch.randn(3, 7, 5)
    torch.testing.assert_close(layer(x), plain(x))
    assert layer(x).is_contiguous()
    with pytest.raises(ValidationError):
        OPS["linear"].model_validate({"out_features": 6, "zero_bias": [2, 4], "transposed": True})


@pytest.mark.parametrize(
    ("given", "shape", "dtype"),
    [
        ({"values": "zeros", "shape": [4, 1]}, (4, 1), torch.float32),
        ({"values": "ones", "shape": [3]}, (3,), torch.float32),
        ({"values": "ones", "shape": [3], "dtype": "float32"}, (3,), torch.float32),
        ({"values": "zeros", "shape": [1, 4], "dtype": "int64"}, (1, 4), torch.int64),
        ({"values": "arange", "shape": [2, 3]}, (2, 3), torch.int64),
        ({"values": "arange", "shape": [2, 3], "dtype": "float32"}, (2, 3), torch.float32),
        ({"values": "arange", "shape": [5], "start": 2, "step": 3}, (5,), torch.int64),
        ({"values": "arange", "shape": [6], "start": 0.5, "dtype": "float32"}, (6,), torch.float32),
        ({"values": "arange", "shape": [49], "start": -1.25, "step": 0.125, "dtype": "float32"}, (49,), torch.float32),
        ({"values": "eye", "shape": [2, 3]}, (2, 3), torch.float32),
        ({"values": [3, 1, 2, 0], "dtype": "int64"}, (4,), torch.int64),
        ({"values": [1, 0.25, -2.5, 1e-9], "shape": [2, -1]}, (2, 2), torch.float32),
        ({"values": "relative_position_index", "window_size": [2, 3]}, (6, 6), torch.int64),
        ({"values": "relative_position_index", "window_size": 2, "shape": [-1]}, (16,), torch.int64),
        ({"values": "relative_position_index", "window_size": [2, 3], "class_token": True}, (7, 7), torch.int64),
        ({"values": "distance_index", "window_size": [2, 3]}, (6, 6), torch.int64),
        ({"values": "distance_index", "window_size": [5, 3], "stride": 2}, (6, 15), torch.int64),
        ({"values": "relative_coords_table", "window_size": [4, 2]}, (1, 7, 3, 2), torch.float32),
        (
            {"values": "relative_coords_table", "window_size": [4, 2], "pretrained_window_size": [3, 5]},
            (1, 7, 3, 2),
            torch.float32,
        ),
        ({"values": "causal_mask", "size": 3}, (3, 3), torch.float32),
        ({"values": "causal_mask", "size": [2, 4], "shape": [1, 2, -1]}, (1, 2, 4), torch.float32),
        ({"values": "shift_mask", "size": 4, "window_size": 2, "shift_size": [0, 1]}, (4, 1, 4, 4), torch.float32),
        (
            {"values": "shift_mask", "size": [4, 6], "window_size": [2, 3], "shift_size": 1, "shape": [4, -1, 6]},
            (4, 6, 6),
            torch.float32,
        ),
    ],
)
def test_a_buffer_has_the_shape_type_and_values_that_it_says(
    given: dict[str, Any], shape: Shape, dtype: torch.dtype
) -> None:
    op = OPS["buffer"].model_validate(given)
    assert tuple(op.infer()) == shape
    assert op.buffers() == op.saved() == {"": shape}
    assert not op.parameters()
    assert not OPS["buffer"].model_validate({**given, "persistent": False}).saved()
    made = computed(op.tensor(), op)
    assert (tuple(made.shape), made.dtype) == (shape, dtype)
    assert isinstance(op.infer(), Integers) == (dtype is torch.int64)
    assert torch.equal(made, buffer(given))


def test_an_index_takes_rows_of_a_table_without_a_batch() -> None:
    op = OPS["index"].model_validate({})
    assert op.yields(Unbatched((9, 2)), Integers((4, 4))) == Unbatched((4, 4, 2))
    for table, index in (
        ((9, 2), Integers((4,))), (Unbatched((9,)), Unbatched((4,))), (Integers((9,)), Integers((4,))),
        (Unbatched((9,)), (4,)), (Unbatched(()), Integers((4,))),
    ):  # fmt: skip
        with pytest.raises(ShapeError):
            op.yields(table, index)


def test_channel_affine_keeps_the_shape() -> None:
    op = OPS["channel_affine"].model_validate({"scale": [1.0, 2.0, 3.0], "shift": [0.0, 0.5, 1.0]})
    assert op.infer((3, 5, 7)) == (3, 5, 7)
    assert not op.parameters((3, 5, 7))
    assert not op.buffers((3, 5, 7))
