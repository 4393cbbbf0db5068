"""An instance of a block for other input shapes is made from another if it reads none: as if it were built anew."""

from __future__ import annotations

import pytest

import archspec
from archspec.frontend.model.block import Block
from archspec.ir.module import Module
from archspec.ops.shapes import Value
from archspec.passes.specialize.reshaped import reshaped

SOURCES = {
    "small": "{op: max_pool2d, kernel_size: 2, from: input}",
    "wide": "{op: conv2d, out_channels: 12, kernel_size: 1, from: input}",
    "last": "{op: permute, dims: [0, 2, 3, 1], from: input}",
    "flat": "{op: flatten, from: input}",
    "learned": "{op: parameter, shape: [8, 8, 8]}",
    "parts": "{op: split, sections: 2, dim: 1, from: input}",
    "last_parts": "{op: split, sections: 2, dim: 1, from: last}",
}
"""Values of different shapes, layouts, and kinds of shapes."""

LIKE = {
    "a layer": "layers: [norm1: {op: batch_norm2d}, a: {op: relu}, "
               "conv1: {op: conv2d, out_channels: =n, kernel_size: 1, bias: false}, b: {op: relu}]",
    "a sum": "layers: [conv: {op: conv2d, out_channels: 8, kernel_size: 1}, {op: add, from: [conv, input]}]",
    "in place": "layers: [scale: {op: parameter, shape: [8, 1, 1]}, {op: mul, from: [input, scale]}, b: {op: relu}]",
    "broadcast in place": "layers: [one: {op: parameter, shape: [8, 8, 8]}, {op: log, from: one, as: a}, "
                          "{op: add, from: [a, input]}, c: {op: relu}]",
    "a condition": "layers: [a: {op: relu, when: =n > 2}, s: {op: sigmoid, when: =n > 9}, b: {op: tanh, when: =n < 9}]",
    "a repeat": "layers: ['a{i}': {op: linear, out_features: =n + i, repeat: 2, index: i}]",
    "an nn.Sequential": "seq: [{op: conv2d, out_channels: 4, kernel_size: 2}, {op: batch_norm2d}, {op: relu}]",
    "registered last": "register: [a]\nlayers: [a: {op: linear, out_features: 4}, b: {op: layer_norm}]",
    "a list": "layers: [a: {op: relu, append: found}, b: {op: tanh, append: found}, {op: cat, from: found}]",
    "an earlier value": "layers: [a: {op: relu}, b: {op: tanh}]\noutput: a",
    "a window": "layers: [pool: {op: max_pool2d, kernel_size: 5}, {op: flatten}, fc: {op: linear, out_features: 2}]",
}  # fmt: skip
"""Blocks that read no shapes."""

TRIED = {
    "parts": "layers: [{op: split, sections: 2, dim: 1, as: s}, {op: exp, from: s.0}]",
    "a rule": "init: [{op: conv2d, weight: {normal: {std: =1 / in_channels}}}]\n"
              "layers: [conv: {op: conv2d, out_channels: 4, kernel_size: 1}]",
}  # fmt: skip
"""Blocks of which more may follow from the shapes of their inputs, as their instances show."""

ANEW = {
    "a size": "layers: [conv: {op: conv2d, out_channels: =input.channels, kernel_size: 1}]",
    "a size by its dimension": "layers: [fc: {op: linear, out_features: '=input.shape[1]'}]",
    "a local name": "let: {c: =input.channels}\nlayers: [conv: {op: conv2d, out_channels: =c, kernel_size: 1}]",
    "a size in a condition": "layers: [fc: {op: linear, out_features: 8}, a: {op: relu, when: =input.channels < 9}]",
    "a size in a name": "layers: ['a{input.channels}': {op: relu}]",
    "a part of its input": "layers: [norm: {op: layer_norm, from: input.0}]",
    "an inner block": "layers: [a: {block: SqueezeExcitation, squeeze_channels: 2}]",
    "a call": "layers: [a: {op: linear, out_features: 8}, {call: a}]",
}
"""The same, as the blocks themselves show."""


def network(block: str, *sources: str) -> str:
    """An instance of a block on each of several values."""
    body = "\n".join(f"    {line}" for line in ["params: {n: 4}", *block.splitlines()])
    values = "".join(f"- {name}: {item}\n" for name, item in SOURCES.items() if "pa" not in item or name in sources)
    uses = "".join(f"- u{number}: {{block: B, from: {name}}}\n" for number, name in enumerate(sources))
    head = f"name: net\ninput: [8, 8, 8]\nblocks:\n  B:\n{body}\nlayers:\n"
    return f"{head}{values}{uses}- end: {{op: identity, from: input}}\n"


def outcome(text: str) -> object:
    """All that is known of a network, or what is said of its errors."""
    try:
        graph = archspec.compile(text)
    except archspec.SpecError as error:
        return str(error)
    graph.verify()
    modules = [(m.arguments, m.lets, m.params, m.macs, m.size, [step.inplace for step in m.steps])
               for m in graph.root.modules]  # fmt: skip
    return graph, graph.layers, modules, graph.state_dict_shapes()


BLOCKS = {**LIKE, **TRIED, **ANEW}
PAIRS = [
    ("input", "small"), ("small", "wide"), ("wide", "input"), ("input", "last"), ("last", "input"), ("last", "learned"),
    ("learned", "input"), ("flat", "last"), ("small", "flat"), ("parts", "last_parts"), ("last_parts", "parts"),
]  # fmt: skip


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_it_is_as_if_it_were_built_anew(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [network(block, *pair) for pair in (PAIRS[:4] if block in ANEW.values() else PAIRS)]
    found = [outcome(text) for text in texts]
    monkeypatch.setattr(Block, "reads_no_shapes", False)
    assert [outcome(text) for text in texts] == found
    assert block in ANEW.values() or any(not isinstance(result, str) for result in found)


def made(block: str, monkeypatch: pytest.MonkeyPatch) -> list[Module | None]:
    """What is made of the first instance for other shapes."""
    found: list[Module | None] = []

    def recorded(module: Module, inputs: tuple[Value, ...]) -> Module | None:
        found.append(reshaped(module, inputs))
        return found[-1]

    monkeypatch.setattr("archspec.passes.specialize.specializer.reshaped", recorded)
    outcome(network(block, "small", "input"))
    return found


@pytest.mark.parametrize("block", LIKE.values(), ids=LIKE)
def test_it_is_made_from_another(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the tests here would prove nothing."""
    assert all(made(block, monkeypatch))


@pytest.mark.parametrize("block", TRIED.values(), ids=TRIED)
def test_it_is_not_if_more_follows_from_the_shapes(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert made(block, monkeypatch) == [None]


@pytest.mark.parametrize("block", ANEW.values(), ids=ANEW)
def test_it_is_not_tried_if_more_may_follow(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not made(block, monkeypatch)


def test_parts_of_another_layout_make_another_instance() -> None:
    """Tuples of equal sizes are equal, whatever the classes of the shapes in them."""
    with pytest.raises(archspec.SpecError, match="would act on the width"):
        archspec.compile(network(ANEW["a part of its input"], "last_parts", "parts"))
