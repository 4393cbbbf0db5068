"""Ops on dimensions, with a batch and without: dimensions are torch's, and no sample is mixed with another."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from interpreter import FUNCTIONS
from pydantic import ValidationError
from test_ops import called
from torch import Tensor

from archspec.ops import OPS
from archspec.ops.shapes import Shape, ShapeError, Unbatched, is_parts

Draw = st.DrawFn
SIZES = st.integers(1, 4)
DIMS = st.integers(-5, 4)
LIST = st.lists(DIMS, min_size=1, max_size=2)

PATTERNS: list[dict[str, Any]] = [
    {"pattern": pattern, **given}
    for pattern, given in (
        ("a b -> b a", {}), ("a b -> (a b)", {}), ("a b -> (b a)", {}), ("a -> a 1", {}), ("a -> 1 a", {}),
        ("(a b) -> a b", {"a": 2}), ("(a b) -> b a", {"b": 2}), ("(a b) c -> b (a c)", {"a": 2}),
        ("a b c -> c a b", {}), ("a (b c) d -> (a b) (c d)", {"c": 2}), ("1 a b -> a b", {}), ("() a -> a", {}),
        ("(a i) (b j) c -> (a b) (i j) c", {"i": 2, "j": 2}), ("a b c d -> d (c b) a", {}), ("a b -> a () b", {}),
        ("(a b c) d -> c d a b", {"a": 1, "c": 2}), ("a b -> b 1 a", {}), ("(a b) c -> a b c", {"a": 1, "b": 3}),
    )
]  # fmt: skip

REDUCTIONS = ("mean", "sum", "max", "min", "var", "std", "logsumexp", "vector_norm")

FIELDS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "select": st.fixed_dictionaries({"dim": DIMS, "position": st.integers(-2, 2)}),
    "slice": st.fixed_dictionaries(
        {"dim": DIMS, "start": st.integers(-3, 2)}, optional={"stop": st.integers(-2, 4), "step": st.integers(1, 2)}
    ),
    "split": st.fixed_dictionaries({"dim": DIMS, "sections": st.integers(1, 3)})
    | st.fixed_dictionaries({"dim": DIMS, "sizes": st.sampled_from([[1, 1], [1, 2], [3], [4], [2, 2], [1, 2, 1]])}),
    "stack": st.fixed_dictionaries({"dim": DIMS}),
    "cat": st.fixed_dictionaries({"dim": DIMS}),
    "expand": st.fixed_dictionaries({}, optional={"size": st.lists(st.sampled_from([-1, 1, 3]), max_size=3)}),
    "pad": st.fixed_dictionaries({"pad": st.lists(st.integers(0, 2), min_size=2, max_size=4)}),
    "roll": DIMS.map(lambda dim: {"shifts": [1], "dims": [dim]}),
    "tile": st.fixed_dictionaries({"repeats": st.lists(st.integers(1, 3), min_size=1, max_size=3)}),
    "repeat_interleave": st.fixed_dictionaries({"dim": DIMS, "repeats": st.integers(1, 3)}),
    "flip": st.fixed_dictionaries({"dims": LIST}),
    "cumsum": st.fixed_dictionaries({"dim": DIMS}),
    "sliding_window": st.fixed_dictionaries({"dim": DIMS, "size": st.integers(1, 3), "step": st.integers(1, 2)}),
    "einsum": st.sampled_from(
        [
            {"equation": equation}
            for equation in (
                "i->",
                "ij->ji",
                "ij->j",
                "ij,jk->ik",
                "ij,kj->ik",
                "ij,ij->ij",
                "i,j->ji",
                "ijk,kl->ijl",
                "ij,ij->",
                "ij,j->i",
            )
        ]
    ),
    "addcmul": st.just({}) | st.just({"value": 0.5}),
    "maximum": st.just({}),
    "minimum": st.just({}),
    **{kind: st.just({}) | st.just({"value": 1.5}) for kind in ("add", "sub", "mul", "div")},
    "matmul": st.fixed_dictionaries({"transpose_b": st.booleans()}),
    "scaled_dot_product_attention": st.sampled_from([{}, {"causal": True}, {"scale": 0.5}]),
    **{kind: st.fixed_dictionaries({"dim": LIST, "keepdim": st.booleans()}) for kind in REDUCTIONS},
    "rearrange": st.sampled_from(PATTERNS),
    "exp": st.just({}),
    "clamp": st.just({"min": -0.5}),
    **{kind: st.just({}) for kind in ("log", "abs", "sign", "rsqrt")},
    "pow": st.sampled_from([{"exponent": 2}, {"base": 2}]),
    "normalize": st.fixed_dictionaries({"dim": DIMS}),
}


@st.composite
def shapes(draw: Draw, kind: str, fields: dict[str, Any]) -> list[Shape]:
    """Shapes with a batch and without, that fit more often than not."""
    one = draw(st.lists(SIZES, min_size=1, max_size=4))
    many = 1 if OPS[kind].arity == (1, 1) or "value" in fields else draw(st.integers(1, 3))
    many = 2 if kind == "matmul" else many
    if kind == "scaled_dot_product_attention":
        return draw(attended())
    if kind == "einsum":
        return draw(lettered(fields["equation"]))
    ways = [tuple, tuple, Unbatched]
    found: list[Shape] = []
    for _ in range(many):
        sizes = [draw(st.sampled_from([size, size, size, 1])) for size in one]
        sizes = draw(st.sampled_from([sizes, sizes, [1, *sizes], sizes[1:] or sizes]))
        if kind == "matmul" and found and draw(st.booleans()):
            sizes = [*sizes[:-2], found[0][-1], *sizes[-1:]][:: -1 if fields["transpose_b"] and len(sizes) == 2 else 1]
        found.append(draw(st.sampled_from(ways))(sizes))
    return found


@st.composite
def lettered(draw: Draw, equation: str) -> list[Shape]:
    """Values of the dimensions that an equation says."""
    sizes = {letter: draw(SIZES) for letter in "ijkl"}
    operands = equation.partition("->")[0].split(",")
    return [draw(st.sampled_from([tuple, Unbatched]))(sizes[letter] for letter in side) for side in operands]


@st.composite
def attended(draw: Draw) -> list[Shape]:
    """Queries, keys and values that mostly fit, with a mask now and then."""
    way = draw(st.sampled_from([tuple, tuple, Unbatched]))
    leading = draw(st.lists(SIZES, max_size=3))
    rows, positions, features, width = (draw(SIZES) for _ in range(4))
    keys, values = ([*leading[:-1], *draw(st.sampled_from([leading[-1:], leading[-1:], [1]]))] for _ in range(2))
    found: list[Shape] = [way((*leading, rows, features)), way((*keys, positions, features)),
                          way((*values, positions, width))]  # fmt: skip
    masks = [Unbatched((rows, positions)), Unbatched((1, *leading[-1:], rows, positions)), (*leading, rows, positions),
             (*[1] * len(leading), rows, positions), Unbatched((1, positions)), Unbatched((2, 1, 1))]  # fmt: skip
    return [*found, *draw(st.lists(st.sampled_from(masks), max_size=1))]


def tensors(inputs: list[Shape], batch: int) -> list[Tensor]:
    """Random values, of which each sample can be told from the others."""
    torch.manual_seed(0)
    made = [torch.randn(*shape) if type(shape) is Unbatched else torch.randn(3, *shape)[:batch] for shape in inputs]
    return [value.clone() for value in made]


def shape_of(tensor: Tensor, batch: int, like: Any) -> Shape:
    """A result's shape, of which the first size is the batch if it has one."""
    if type(like) is Unbatched:
        return Unbatched(tensor.shape)
    assert tensor.shape[0] == batch
    return tuple(tensor.shape[1:])


@pytest.mark.parametrize("kind", FIELDS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_with_a_batch_and_without(kind: str, data: st.DataObject) -> None:
    """Accepted inputs give the inferred shape, whatever the batch, and torch's values; each sample is computed as if it
    were alone."""
    fields = data.draw(FIELDS[kind])
    inputs = data.draw(shapes(kind, fields))
    try:
        op = OPS[kind].model_validate(fields)
        if len(inputs) < op.takes()[0] or len(inputs) > (op.takes()[1] or 9):
            return
        output = op.yields(*inputs)
    except (ValidationError, ShapeError):
        return
    spelled = op.function(*inputs)
    assert spelled is not None
    results = []
    for batch in (3, 2, 1):
        given = tensors(inputs, batch)
        result = called(spelled, given)
        expected = FUNCTIONS[kind](given, fields)
        parts = [result] if isinstance(result, Tensor) else list(result)
        wanted = output if is_parts(output) else (output,)
        for part, same, shape in zip(
            parts, [expected] if isinstance(expected, Tensor) else expected, wanted, strict=True
        ):
            assert shape_of(part, batch, shape) == shape
            torch.testing.assert_close(part, same, equal_nan=True)
        results.append((parts, wanted))
    for parts, _ in results[1:]:
        for whole, part, shape in zip(results[0][0], parts, results[0][1], strict=True):
            same = whole if type(shape) is Unbatched else whole[: len(part)]
            torch.testing.assert_close(part, same, equal_nan=True)


@pytest.mark.parametrize("kind", FIELDS)
def test_all_of_these_are_accepted_at_times(kind: str) -> None:
    """With a batch, and without: the test above is no empty one."""
    known: dict[str, dict[str, Any]] = {
        "expand": {"size": [2, -1]}, "select": {"position": 0}, "split": {"sections": 1}, "pad": {"pad": [1, 1]},
        "roll": {"shifts": [1], "dims": [1]}, "clamp": {"min": 0.0},
        "rearrange": {"pattern": "a b -> b a"}, **{kind: {"dim": [1]} for kind in REDUCTIONS},
        "flip": {"dims": [-1]}, "cumsum": {"dim": -1}, "sliding_window": {"size": 2},
        "einsum": {"equation": "ij,jk->ik"},
        "pow": {"exponent": 2}, "tile": {"repeats": [2]}, "repeat_interleave": {"repeats": 2, "dim": -1},
    }  # fmt: skip
    fields = known.get(kind, {})
    op = OPS[kind].model_validate(fields)
    for way in (tuple, Unbatched):
        shape = (1, 3) if kind == "expand" else (3, 3)
        output = op.yields(*[way(shape)] * (1 if kind == "expand" else max(op.arity[0], op.takes()[0])))
        first = output[0] if is_parts(output) else output
        assert (type(first) is Unbatched) == (way is Unbatched)


@pytest.mark.parametrize("kind", ["cat", "stack"])
def test_values_of_both_kinds_are_not_put_side_by_side(kind: str) -> None:
    with pytest.raises(ShapeError, match="input 2 has no batch dimension"):
        OPS[kind].model_validate({}).yields((3, 3), Unbatched((3, 3)))


def test_a_batch_is_no_dimension_of_a_value() -> None:
    """Three numbers for each of three samples are not a 3×3 matrix."""
    for left, right in (((3,), (3, 3)), ((3, 3), (3,)), ((3,), Unbatched((3,)))):
        with pytest.raises(ShapeError):
            OPS["matmul"].model_validate({}).yields(left, right)
    with pytest.raises(ShapeError, match="cannot add 4 and 4×4"):
        OPS["add"].model_validate({}).yields((4,), (4, 4))
