"""An instance of a block that differs from another in rates alone only varies it: as if it were built anew."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

import archspec
from archspec.frontend.model.block import Block
from archspec.frontend.model.dependencies import Rates
from archspec.ir.module import Module

DROP = "drop: {op: stochastic_depth, p: =p}"
CONV = "conv: {op: conv2d, out_channels: 8, kernel_size: 3}"

VARIED = {
    "a rate": f"layers: [{CONV}, {DROP}]",
    "two rates": f"layers: [{DROP}, again: {{op: stochastic_depth, p: =q + p, mode: batch}}]",
    "calculated from what is no rate":
        "let: {n: =input.channels}\nlayers: [drop: {op: stochastic_depth, p: =p if n > 3 else 0.0}]",
    "of a list": "layers: [drop: {op: stochastic_depth, p: '=[p, q][1]'}]",
    "called again": f"layers: [{DROP}, {{call: drop, as: x}}, {{op: add, from: [x, input]}}]",
    "in place behind it": f"layers: [a: {{op: relu}}, {DROP}, b: {{op: relu}}]",
    "an entry": "seq: [{op: relu}, {op: stochastic_depth, p: =p}]",
    "left out": "layers: [drop: {op: stochastic_depth, p: =p, when: =input.channels < 8}, a: {op: relu}]",
    "behind a container": f"layers: [stages: {{layers: [{{op: relu6}}, {{op: relu}}]}}, {DROP}]",
    "in rounds": "layers: ['drop{i}': {op: stochastic_depth, p: =p, repeat: 2, index: i}]",
    "a rule for it": f"init: [{{op: conv2d, weight: {{normal: {{std: 0.5}}}}}}]\nlayers: [{CONV}, {DROP}]",
}  # fmt: skip
"""Blocks with the parameters p and q, whose instances are varied."""

ANEW = {
    "of an op": f"layers: [{DROP}, a: {{op: conv2d, out_channels: =int(8 * p), kernel_size: 1}}]",
    "of a block": f"layers: [{DROP}, a: {{block: SqueezeExcitation, squeeze_channels: =int(8 * p)}}]",
    "of a seq": f"layers: [{DROP}, a: {{seq: [{{op: conv2d, out_channels: =int(8 * p), kernel_size: 1}}]}}]",
    "of a group": f"layers: [{DROP}, a: {{layers: [{{op: conv2d, out_channels: =int(8 * p), kernel_size: 1}}]}}]",
    "of a condition": f"layers: [{DROP}, a: {{op: relu, when: =p > 0.2}}]",
    "of its own condition": "layers: [drop: {op: stochastic_depth, p: =p, when: =p > 0.2}, a: {op: relu}]",
    "of a repeat": f"layers: [{DROP}, 'a{{i}}': {{op: relu, repeat: =int(8 * p), index: i}}]",
    "of a local name": f"let: {{n: =p / 2}}\nlayers: [{DROP}, a: {{op: dropout, p: =n}}]",
    "of a rate's local name": "let: {n: =p / 2}\nlayers: [drop: {op: stochastic_depth, p: =n}]",
    "of a default": f"layers: [{DROP}, a: {{op: dropout, p: =lower}}]",
    "of a name": f"layers: [{DROP}, 'a{{int(8 * p)}}': {{op: relu}}]",
    "of a reference": f"layers: [a1: {{op: relu}}, a2: {{op: relu}}, {DROP}, b: {{op: relu, from: 'a{{int(8 * p)}}'}}]",
    "of a rule": f"init: [{{op: conv2d, weight: {{normal: {{std: =q + 1}}}}}}]\n"
                 f"layers: [{CONV}, drop: {{op: stochastic_depth, p: =q}}]",
    "of the round": "layers: ['drop{i}': {op: stochastic_depth, p: =p / (i + 1), repeat: 2, index: i}]",
    "that is calculated": "layers: [drop: {op: stochastic_depth, p: =lower}]",
    "in a group": "layers: [stages: {layers: [{op: relu}, {op: stochastic_depth, p: =p}]}]",
    "of an op that is chosen": "layers: [drop: {op: \"='stochastic_depth' if p > 0.2 else 'dropout'\", p: =p}]",
    "with a size inside": f"layers: [{CONV}, drop: {{op: stochastic_depth, p: =p / conv.channels}}]",
}  # fmt: skip
"""Blocks in which p decides more, or may do so: each instance is built on its own."""

WRONG = {
    "too large": "layers: [drop: {op: stochastic_depth, p: =5 * p}, a: {op: relu}]",
    "in a rule": f"init: [{{op: conv2d, weight: {{normal: {{std: =p}}}}}}]\n"
    f"layers: [{CONV}, drop: {{op: stochastic_depth, p: =q}}]",
    "no number": "layers: [drop: {op: stochastic_depth, p: =1 / (p - 0.25)}, a: {op: relu}]",
}
"""Blocks some of whose instances have an error."""

USES: list[dict[str, object]] = [
    {"from": "input", "p": 0.25, "q": 0.0}, {"from": "input", "p": 0.125, "q": 0.0}, {"from": "input"},
    {"from": "input", "p": 0.125, "q": 0.5, "lower": 0.0}, {"from": "input", "p": 0.125, "q": 0.5},
    {"from": "small", "p": 0.125, "q": 0.5}, {"from": "input", "p": 0.25, "q": 0.0},
]  # fmt: skip
"""The input of each instance, with its p and q; the last is equal to the first."""


def network(block: str) -> str:
    """Several instances of a block."""
    defaults = {"p": "0.125", "q": "0.0", "lower": "=p / 2"}
    text = block.replace("lower", "lower - p")
    params = {name: default for name, default in defaults.items() if re.search(rf"(=|\(8 \* )[^}}]*\b{name}\b", text)}
    body = "\n".join(f"    {line}" for line in [f"params: {flow(params)}", *block.splitlines()])
    uses = [{"block": "B", **{name: value for name, value in use.items() if name in {"from", *params}}} for use in USES]
    head = f"name: net\ninput: [8, 8, 8]\nblocks:\n  B:\n{body}\nlayers:\n- small: {{op: max_pool2d, kernel_size: 2}}\n"
    return head + "".join(f"- u{number}: {flow(use)}\n" for number, use in enumerate(uses))


def flow(data: Mapping[str, object]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in data.items()) + "}"


def outcome(text: str) -> object:
    """All that is known of a network, or what is said of its errors."""
    try:
        graph = archspec.compile(text)
    except archspec.SpecError as error:
        return str(error)
    graph.verify()
    counts = [(module.arguments, module.lets, module.params, module.macs, module.buffers, module.size)
              for module in graph.root.modules]  # fmt: skip
    return graph, graph.layers, counts, graph.params, graph.macs, graph.train_only_params


@pytest.mark.parametrize("block", [*VARIED.values(), *ANEW.values(), *WRONG.values()], ids=[*VARIED, *ANEW, *WRONG])
def test_it_is_as_if_it_were_built_anew(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    varied = outcome(network(block))
    monkeypatch.setattr(Block, "rates", Rates())
    assert outcome(network(block)) == varied
    assert isinstance(varied, str) == (block in WRONG.values())


def instances(block: str) -> list[Module]:
    steps = archspec.compile(network(block)).root.steps
    return [step.target for step in steps if isinstance(step.target, Module)]


@pytest.mark.parametrize("block", VARIED.values(), ids=VARIED)
def test_it_is_counted_and_measured_once(block: str) -> None:
    first, *same, smaller, last = (module.counted for module in instances(block))
    assert all(module is first for module in (*same, last))
    assert smaller is not first


@pytest.mark.parametrize("block", ANEW.values(), ids=ANEW)
def test_otherwise_it_is_counted_and_measured_itself(block: str) -> None:
    assert all(module.counted is module for module in instances(block))


def test_what_is_made_of_it_is_counted_and_measured_itself() -> None:
    """Features and folding make other modules of it."""
    _, varied, *_ = instances(VARIED["a rate"])
    made = replace(varied, steps=varied.steps[:1])
    assert made.counted is made is not varied.counted
