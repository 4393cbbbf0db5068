"""Ops whose weights are values: like torch's functions, and like the ops that have the same weights of their own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from interpreter import FUNCTIONS
from test_ops import FUNCTIONAL, called
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from archspec.ops import OPS
from archspec.ops.shapes import Shape, ShapeError, Unbatched

Draw = st.DrawFn
SIZES = st.integers(1, 4)


def numbers(rank: int, least: int, most: int) -> st.SearchStrategy[Any]:
    """A number for all axes, or one for each."""
    sizes = st.integers(least, most)
    return sizes if rank == 1 else sizes | st.tuples(*[sizes] * rank).map(list)


@st.composite
def cases(draw: Draw, kind: str) -> tuple[dict[str, Any], list[Shape]]:
    """The fields of an op, and shapes of its inputs that fit more often than not."""
    way = draw(st.sampled_from([tuple, tuple, Unbatched]))
    outputs, inputs, groups = draw(SIZES), draw(SIZES), draw(st.sampled_from([1, 1, 2]))
    fields: dict[str, Any] = {}
    if kind == "functional_linear":
        shapes = [way((*draw(st.lists(SIZES, max_size=1)), inputs)), Unbatched((outputs, inputs))]
    elif kind == "functional_instance_norm":
        fields = draw(st.fixed_dictionaries({}, optional={"eps": st.floats(1e-6, 1e-2)}))
        instances = [draw(SIZES)] if way is Unbatched else []
        shapes = [way((*instances, outputs, *draw(st.lists(SIZES, min_size=1, max_size=3)))), Unbatched((outputs,))]
    else:
        rank = OPS[kind].rank
        optional = {"stride": numbers(rank, 1, 2), "dilation": numbers(rank, 1, 2),
                    "padding": numbers(rank, 0, 2) | st.sampled_from(["same", "valid"])}  # fmt: skip
        fields = {"groups": groups, **draw(st.fixed_dictionaries({}, optional=optional))}
        kernel = draw(st.tuples(*[st.integers(1, 3)] * rank))
        space = draw(st.tuples(*[st.integers(2, 6)] * rank))
        shapes = [way((inputs * groups, *space)), Unbatched((outputs * groups, inputs, *kernel))]
    third = shapes[1][:1] if draw(st.integers(0, 4)) else (7,)
    least = 1 if kind == "functional_instance_norm" else 2
    return fields, [*shapes, Unbatched(third)][: draw(st.integers(least, 3))]


@pytest.mark.parametrize("kind", sorted(FUNCTIONAL))
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_like_torch(kind: str, data: st.DataObject) -> None:
    """Both accept a case and agree on its shape and values, or both refuse it; MACs are half of torch's FLOPs."""
    fields, shapes = data.draw(cases(kind))
    tensors = [torch.randn(*(shape if type(shape) is Unbatched else (2, *shape))) for shape in shapes]
    try:
        op = OPS[kind].model_validate(fields)
        output = op.yields(*shapes)
    except (ValueError, ShapeError):
        with pytest.raises((RuntimeError, ValueError)):
            FUNCTIONS[kind](tensors, fields)
        return
    spelled = op.function(*shapes)
    assert spelled is not None
    result = called(spelled, tensors)
    assert tuple(result.shape) == ((*output,) if type(output) is Unbatched else (2, *output))
    torch.testing.assert_close(result, FUNCTIONS[kind](tensors, fields))
    one = [value[:1] if type(shape) is not Unbatched else value for value, shape in zip(tensors, shapes, strict=True)]
    with FlopCounterMode(display=False) as counter:
        called(spelled, one)
    assert op.macs(tuple(shapes), output) * 2 == counter.get_total_flops()


@pytest.mark.parametrize("kind", sorted(FUNCTIONAL))
def test_weights_have_no_batch(kind: str) -> None:
    weights: dict[str, Shape] = {"functional_linear": (4, 3), "functional_instance_norm": (3,)}
    rank = OPS[kind].rank if "conv" in kind else 1
    x = (3, *[5] * rank) if kind != "functional_linear" else (5, 3)
    weight = weights.get(kind, (4, 3, *[2] * rank))
    with pytest.raises(ShapeError, match="has a batch"):
        OPS[kind]().yields(x, weight)
    assert OPS[kind]().yields(x, Unbatched(weight))
    with pytest.raises(ShapeError, match="not 4" if len(weight) > 1 else "not 3"):
        OPS[kind]().yields(x, Unbatched(weight), Unbatched((9,)))


def test_an_instance_norm_standardises_a_weight_as_a_batch_norm_does() -> None:
    """Batch norm of one sample, in training, is how weight standardisation is often written."""
    weight: Tensor = torch.randn(8, 3, 3, 3)
    gain = torch.randn(8)
    flat = weight.reshape(1, 8, -1)
    expected = functional.batch_norm(flat, None, None, weight=gain, training=True, momentum=0.0, eps=1e-6)
    op = OPS["functional_instance_norm"].model_validate({"eps": 1e-6})
    spelled = op.function(Unbatched(flat.shape), Unbatched(gain.shape))
    assert spelled is not None
    assert torch.equal(called(spelled, [flat, gain]), expected)
