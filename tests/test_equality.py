"""When two graphs are equal, and how graphs, modules and specs print."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from exhaustive import one_of_each_family

import archspec
from archspec.frontend.loader import shipped
from archspec.ir.module import Module, Ref, Step
from archspec.ops.shapes import ChannelsLast
from archspec.passes.features import extract
from archspec.passes.pipeline import compile_with_expressions


@pytest.mark.parametrize("name", one_of_each_family(shipped()))
def test_a_network_equals_itself_however_it_is_written(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, source = archspec.compile(name), archspec.expand(name)
    monkeypatch.setattr("archspec.passes.specialize.specializer._SHARED", {})
    others = [archspec.compile(name), archspec.compile(source), compile_with_expressions(name)]
    assert all(net == other and hash(net) == hash(other) for other in others)
    assert all(net.root is not other.root for other in others)


def test_no_two_shipped_networks_are_equal() -> None:
    nets = [archspec.compile(name) for name in shipped()]
    assert len({*nets}) == len(nets) == len({repr(net) for net in nets})


EQUAL = """
name: net
description: What it is.
reference: A paper.
input: [8, 8, 8]
params: {channels: 8}
blocks:
  Inner:
    params: {unused: 1}
    layers:
    - conv: {op: conv2d, out_channels: 8, kernel_size: 1}
    - act: {op: relu}
    register: [conv]
layers:
- a: {block: Inner}
- b: {op: dropout, p: 0.5}
- c: {seq: [{op: conv2d, out_channels: =channels, kernel_size: 1}]}
- d: {op: conv2d, out_channels: 8, kernel_size: 1, train_only: true}
- {op: add, from: [a, c], as: sum}
- e: {op: conv2d, out_channels: 8, kernel_size: 1}
init:
- {op: conv2d, weight: {normal: {std: 0.5}}}
outputs: {type: Outputs, fields: {main: e, more: c, other: d}}
"""

ALIKE = {
    "an argument that nothing reads": ("unused: 1", "unused: 2"),
    "an expression": ("=channels", "8"),
    "a comment": ("layers:\n- a", "layers:\n# a block\n- a"),
    "a parameter": ("channels: 8}", "channels: 8, other: 3}"),
}
"""Changes of the text that do not change the network."""

CHANGES = {
    "name": ("name: net", "name: other\nclass_name: Net"),
    "class name": ("name: net", "name: net\nclass_name: Other"),
    "description": ("What it is", "What else"),
    "reference": ("A paper", "Another paper"),
    "input": ("[8, 8, 8]", "[8, 8, 9]"),
    "block's name": ("Inner", "Outer"),
    "kind of op": ("op: dropout", "op: dropout2d"),
    "field of an op": ("p: 0.5", "p: 0.25"),
    "field of an op in a block": ("kernel_size: 1}\n    - act", "kernel_size: 1, bias: false}\n    - act"),
    "name of a module": ("- b:", "- x:"),
    "name of a value": ("as: sum", "as: total"),
    "edge": ("from: [a, c]", "from: [a, b]"),
    "order of edges": ("from: [a, c]", "from: [c, a]"),
    "result": ("as: sum}\n- e:", "as: sum}\n- e: {op: conv2d, out_channels: 8, kernel_size: 1}\n- f:"),
    "order of registration": ("register: [conv]", "register: [act]"),
    "training": (", train_only: true", ", from: b"),
    "in place": ("act: {op: relu}", "act: {op: relu, from: input}"),
    "rule": ("std: 0.5", "std: 0.25"),
    "parameter in a rule": ("std: 0.5}}", "std: 0.5}}, bias: 0.0"),
    "type of a number in a rule": ("std: 0.5", "std: 1.0"),
    "name of the outputs": ("type: Outputs", "type: Others"),
    "field of the outputs": ("main: e", "first: e"),
    "value of an output": ("other: d", "other: b"),
    "order of the outputs": ("main: e, more: c", "more: c, main: e"),
}
"""Changes that give a different network."""


@pytest.mark.parametrize("change", ALIKE)
def test_what_does_not_count(change: str) -> None:
    assert EQUAL.count(ALIKE[change][0]) == 1
    assert archspec.compile(EQUAL.replace(*ALIKE[change])) == archspec.compile(EQUAL)


@pytest.mark.parametrize("change", CHANGES)
def test_what_counts(change: str) -> None:
    changed = EQUAL.replace(*CHANGES[change])
    assert changed != EQUAL
    net, other = archspec.compile(EQUAL), archspec.compile(changed)
    assert net != other
    assert other != net
    assert other == archspec.compile(changed)


STEP: dict[str, Any] = {
    "target": 0, "inputs": (), "output": (8, 8), "name": "other", "label": "other", "train_only": True,
    "inplace": True, "failure": "fails",
}  # fmt: skip
MODULE: dict[str, Any] = {
    "definition": "Other", "inputs": ((8, 8, 8), (8, 8, 8)), "steps": (), "result": Ref(0),
    "registration": (0, 1, 2, 3, 4, 5), "construction": (0, 1, 2, 3, 4, 5), "init": (),
    "dropped": archspec.compile(EQUAL).root.steps[:1],
}  # fmt: skip
"""The fields that count, each with another value. The others say where the spec has it, and in which words."""


@pytest.mark.parametrize("field", [field.name for field in fields(Step)])
def test_what_counts_of_a_step(field: str) -> None:
    net = archspec.compile(EQUAL)
    given: Any = {field: STEP.get(field, object())}
    steps = (*net.root.steps[:1], replace(net.root.steps[1], **given), *net.root.steps[2:])
    assert (net != replace(net, root=replace(net.root, steps=steps))) is (field in STEP)


@pytest.mark.parametrize("field", [field.name for field in fields(Module)])
def test_what_counts_of_a_module(field: str) -> None:
    net = archspec.compile(EQUAL)
    given: Any = {field: MODULE.get(field, object())}
    assert (net != replace(net, root=replace(net.root, **given))) is (field in MODULE)


def test_types_of_numbers_count() -> None:
    one, other = (archspec.compile(EQUAL.replace("std: 0.5", f"std: {std}")) for std in ("1", "1.0"))
    assert one != other


def test_the_layout_of_a_shape_counts() -> None:
    turned = EQUAL.replace(
        "- b: {op: dropout, p: 0.5}", "- b: {op: permute, dims: [0, 2, 3, 1]}\n- x: {op: relu, from: b}"
    )
    net = archspec.compile(turned.replace("outputs:", "# outputs:").replace("- c: {seq", "- c: {from: a, seq"))
    plain = [replace(s, output=tuple(s.output)) if isinstance(s.output, ChannelsLast) else s for s in net.root.steps]
    assert any(isinstance(step.output, ChannelsLast) for step in net.root.steps)
    assert net != replace(net, root=replace(net.root, steps=tuple(plain)))
    assert net == replace(net, root=replace(net.root, steps=net.root.steps))


def test_features_count() -> None:
    net = archspec.compile(EQUAL)
    assert extract(net, ["a"]) == extract(archspec.compile(EQUAL), ["a"]) != net
    assert extract(net, ["a", "b"]) != extract(net, ["b", "a"])


def test_other_things_are_no_graphs() -> None:
    net = archspec.compile(EQUAL)
    assert net != archspec.load(EQUAL)
    assert net != "net"


def test_modules_that_share_all_below_them_are_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty blocks, each used twice in the next one: 2^40 instances."""
    blocks = "".join(f"  B{k}: {{layers: [a: {{block: B{k + 1}}}, b: {{block: B{k + 1}}}]}}\n" for k in range(40))
    blocks += "  B40: {layers: [{op: relu}]}\n"
    text = f"name: net\ninput: [8, 8, 8]\nblocks:\n{blocks}layers:\n- a: {{block: B0}}\n"
    net, same = (archspec.compile(text, max_nodes=1 << 42) for _ in range(2))
    assert net == same
    assert net != archspec.compile(text.replace("op: relu", "op: silu"), max_nodes=1 << 42)


def test_reprs_are_one_short_line() -> None:
    net = archspec.compile("resnet152", num_classes=5)
    assert repr(net) == "Graph(resnet152: 3×224×224 → 5, 58,154,053 params)"
    assert repr(net.root) == "Module(ResNet152: 3×224×224 → 5, 11 steps)"
    assert repr(net.spec) == "Spec(resnet152, num_classes=5)"
    assert repr(extract(net, ["layer1", "layer2"])).startswith("Graph(resnet152: 3×224×224 → (256×56×56, 512×28×28), ")
    things = [net, net.spec, *net.root.modules, *(step for module in net.root.modules for step in module.steps)]
    assert all(len(repr(thing)) < 120 and "\n" not in repr(thing) for thing in things)
