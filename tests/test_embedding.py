"""Networks of token ids: the input's fields for them, `embedding`, and the ops that accept integers."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

import archspec
from archspec.ir.footprint import footprint
from archspec.ops import OPS
from archspec.ops.shapes import Shape, ShapeError, Unbatched, integers, is_integer, numel, words
from archspec.weights.requirements import WORKSPACE, Use, requirements

TINY = """
name: tiny
input: [6]
tokens: =words
params: {words: 20, width: 8}
layers:
- words: {op: embedding, num_embeddings: =words, embedding_dim: =width, padding_idx: 0}
- place_ids: {op: buffer, values: arange, shape: [1, 9], persistent: false}
- {op: slice, from: place_ids, dim: 1, stop: "=input.shape[1]", as: places_read}
- places: {op: embedding, num_embeddings: 9, embedding_dim: =width, from: places_read}
- {op: add, from: [words, places]}
- {op: flatten}
- fc: {op: linear, out_features: 3}
"""


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_embedding_is_that_of_torch(data: st.DataObject) -> None:
    """Shapes, parameters and memory that may be overwritten, for ids of any rank, with a batch or without."""
    rows, features = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 5))
    padding = data.draw(st.none() | st.integers(-rows, rows - 1))
    ids = integers(rows, data.draw(st.booleans()))(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    fields = {"num_embeddings": rows, "embedding_dim": features, "padding_idx": padding}
    op, module = OPS["embedding"].model_validate(fields), nn.Embedding(rows, features, padding)
    batch = () if isinstance(ids, Unbatched) else (2,)
    output = module(torch.randint(rows, (*batch, *ids)))
    found = op.yields(ids)
    assert (*batch, *found) == tuple(output.shape)
    assert (isinstance(found, Unbatched), is_integer(found)) == (isinstance(ids, Unbatched), False)
    assert op.parameters(ids) == {name: tuple(value.shape) for name, value in module.named_parameters()}
    assert (op.buffers(ids), op.macs((ids,), found)) == ({}, 0)
    assert op.may_be_overwritten(found)
    assert not output._is_view()
    output.add_(1).sum().backward()


@pytest.mark.parametrize("padding", [-4, 3, 3.0, "zero"])
def test_padding_is_one_of_the_rows(padding: Any) -> None:
    with pytest.raises(ValidationError):
        OPS["embedding"].model_validate({"num_embeddings": 3, "embedding_dim": 2, "padding_idx": padding})


def test_a_table_has_a_row_for_every_integer() -> None:
    op = OPS["embedding"].model_validate({"num_embeddings": 10, "embedding_dim": 2})
    assert op.yields(integers(10, False)((3,))) == (3, 2)
    for ids in (integers(11, False)((3,)), integers(11, True)((3,)), (3,), Unbatched((3,))):
        with pytest.raises(ShapeError):
            op.yields(ids)
    positions: Any = OPS["buffer"].model_validate({"values": "relative_position_index", "window_size": 3}).infer()
    with pytest.raises(ShapeError, match="go up to 24"):
        OPS["index"].model_validate({}).yields(Unbatched((24, 2)), positions)


MOVES: dict[str, dict[str, Any]] = {
    "select": {"position": 1}, "slice": {"start": 1}, "roll": {"shifts": [1], "dims": [1]},
    "expand": {"size": [2, 3]}, "split": {"sections": 2, "dim": 1}, "permute": {"dims": [0, 2, 1]},
    "rearrange": {"pattern": "a b -> b a"}, "flatten": {}, "identity": {}, "chunk": {"chunks": 2},
    "flip": {"dims": [1]}, "contiguous": {},
}  # fmt: skip


@pytest.mark.parametrize("kind", OPS)
def test_who_moves_numbers_moves_integers_and_no_other_op_takes_them(kind: str) -> None:
    op = OPS[kind].model_construct() if kind not in MOVES else OPS[kind].model_validate(MOVES[kind])
    ids: Shape = integers(7, False)((2, 3))
    assert op.carries_integers == (kind in MOVES)
    if kind in MOVES:
        found = op.yields(ids)
        parts: tuple[Any, ...] = found if isinstance(found[0], tuple) else (found,)
        assert {part.below for part in parts} == {7}
    elif kind != "embedding" and not op.raw:
        with pytest.raises(ShapeError, match="holds integers"):
            op.yields(*[ids] * max(1, op.arity[0]))


def test_integers_know_what_they_are_below() -> None:
    of: dict[str, dict[str, Any]] = {
        "arange": {"shape": [2, 5]}, "zeros": {"shape": [4], "dtype": "int64"},
        "ones": {"shape": [4], "dtype": "int64"}, "relative_position_index": {"window_size": [2, 3]},
        "distance_index": {"window_size": [2, 3]},
    }  # fmt: skip
    found = {kind: OPS["buffer"].model_validate({"values": kind, **fields}).infer() for kind, fields in of.items()}
    assert {kind: getattr(shape, "below", None) for kind, shape in found.items()} == {
        "arange": 10, "zeros": 1, "ones": 2, "relative_position_index": 15, "distance_index": 6,
    }  # fmt: skip
    ids = archspec.compile(TINY).input_shape
    assert (ids, getattr(ids, "below", None), numel(ids), words(ids)) == (integers(20, False)((6,)), 20, 6, 12)
    assert ids != (6,)
    assert pickle.loads(pickle.dumps(ids)) == ids


def test_the_number_of_tokens_follows_from_parameters() -> None:
    fewer = archspec.compile(TINY, words=7)
    assert (fewer.input_shape, fewer.state_dict_shapes()["words.weight"]) == (integers(7, False)((6,)), (7, 8))
    assert archspec.compile(TINY, tokens=5).params == archspec.compile(TINY).params
    assert archspec.compile(TINY, input=[9]).output_shape == (3,)
    with pytest.raises(archspec.SpecError, match="go up to 29"):
        archspec.compile(TINY, tokens=30)


def test_everything_takes_token_ids(tmp_path: Path) -> None:
    net = archspec.compile(TINY)
    assert repr(net) == "Graph(tiny: 6 token ids → 3, 379 params)"
    assert '"tokens": 20' in archspec.summary(TINY, format="json")
    code = archspec.codegen(TINY)
    assert "self.words = nn.Embedding(words, width, padding_idx=0)" in code
    assert "MACs: 144 for one input of 6 token ids" in code
    report = archspec.verify(TINY)
    assert report.ok, str(report)
    assert "6 token ids below 20  6 token ids below 9" in str(archspec.diff(TINY, tokens=9))
    with pytest.raises(archspec.SpecError, match="token ids, not an image"):
        archspec.project(TINY.replace("words: 20", "words: 20, num_classes: 3"), tmp_path / "project")


def test_integers_take_twice_the_memory() -> None:
    places = "[{op: roll, shifts: [1], dims: [1]}, {e: {op: embedding, num_embeddings: 9, embedding_dim: 1}}]"
    net = archspec.compile(f"name: n\ninput: [6]\ntokens: 9\nlayers: {places}\n")
    assert footprint(net).live == 2 * 6 + 6
    assert requirements(net, Use(samples=1)).values == 4 * (2 * 6 + WORKSPACE * (2 * 6 + 6))
