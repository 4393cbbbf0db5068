"""What an item runs is built once for all places where it reads the same: the network is as if all were built anew."""

from __future__ import annotations

import pytest

import archspec
from archspec.ir.graph import Graph
from archspec.passes.pipeline import compile_with_expressions, with_parameters
from archspec.passes.specialize.item_cache import ItemCache

CONV = "{op: conv2d, out_channels: =n, kernel_size: 1}"

READS = {
    "argument": f"- a: {CONV}",
    "argument in a list": "- a: {op: conv2d, out_channels: 8, kernel_size: [=n, 1]}",
    "op": """- a: {op: "='relu' if n > 3 else 'sigmoid'"}""",
    "block": "- a: {block: BasicConv2d, out_channels: =n, kernel_size: 1}",
    "block of literals": f"- c: {CONV}\n- a: {{block: SqueezeExcitation, squeeze_channels: 2}}",
    "argument in a seq": f"- a: {{seq: [{CONV}]}}",
    "condition in a seq": "- a: {seq: [{op: relu, when: =n > 3}, {op: sigmoid}]}",
    "rounds in a seq": "- a: {seq: [{op: relu, repeat: =n}]}",
    "name in a seq": """- a: {seq: ["b{n}": {op: relu}]}""",
    "seq in a seq": "- a: {seq: [{seq: [{op: relu, when: =n > 3}, {op: sigmoid}]}]}",
    "size": f"- c: {CONV}\n- d: {{op: relu, from: input}}\n"
            "- a: {op: conv2d, out_channels: =c.channels, kernel_size: 1}",
    "size in a seq": f"- c: {CONV}\n- d: {{op: relu, from: input}}\n"
                     "- a: {seq: [{op: conv2d, out_channels: =c.channels, kernel_size: 1}]}",
    "size of an entry": f"- l: {{layers: [{CONV}]}}\n- d: {{op: relu, from: input}}\n"
                        '- a: {op: conv2d, out_channels: "=l[0].channels", kernel_size: 1}',
    "size of the input": "- a: {op: conv2d, out_channels: =input.channels + n, kernel_size: 1}",
    "index": "- a{i}: {repeat: 2, index: i, op: conv2d, out_channels: =n + i, kernel_size: 1}",
    "index around a seq": "- a{i}: {repeat: =n, index: i, seq: [{op: dropout, p: =0.1 * i}]}",
    "rounds around a seq": "- a{i}: {repeat: =n, index: i, seq: [{op: relu}]}",
    "input": f"- c: {CONV}\n- a: {{op: conv2d, out_channels: 8, kernel_size: 1}}",
}  # fmt: skip
"""Items of which one depends on `n` in some way."""

HEAD = "name: net\ninput: [8, 8, 8]\nparams: {n: 3}\n"


def in_network(items: str) -> str:
    return f"{HEAD}layers:\n{items}\n"


def in_blocks(items: str) -> str:
    """Three instances of a block: the parameter has two values."""
    body = "\n".join(f"    {line}" for line in items.splitlines())
    uses = "".join(f"- u{k}: {{block: B, from: input, n: {n}, p: 0.{k}}}\n" for k, n in enumerate(("=n", 4, "=n")))
    block = f"    params: {{n: , p: }}\n    layers:\n{body}\n    - {{op: dropout, p: =p}}\n"
    return f"{HEAD}blocks:\n  B:\n{block}layers:\n{uses}"


@pytest.fixture(params=[in_network, in_blocks], ids=["network", "blocks"])
def text(request: pytest.FixtureRequest, reads: str) -> str:
    found: str = request.param(READS[reads])
    return found


def built_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ItemCache, "key", lambda *_: None)
    monkeypatch.setattr("archspec.passes.specialize.specializer._SHARED", {})


@pytest.mark.parametrize("reads", READS)
def test_a_network_is_as_if_all_its_items_were_built_anew(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, code = archspec.compile(text), archspec.codegen(text)
    built_anew(monkeypatch)
    assert archspec.compile(text) == graph
    assert archspec.codegen(text) == code


def twice(source: str, changed: dict[str, int], cache: ItemCache | None) -> tuple[Graph, Graph]:
    """A network with its parameters and with others; what was built of the first may be used for the second."""
    first = compile_with_expressions(source, items=cache)
    return first, with_parameters(first, changed, cache)


@pytest.mark.parametrize("reads", READS)
def test_with_other_parameters_too(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = twice(text, {"n": 5}, ItemCache(several_runs=True))
    built_anew(monkeypatch)
    assert found == twice(text, {"n": 5}, None)
    assert found[0] != found[1]


def test_equal_seqs_of_unequal_blocks_are_one_object() -> None:
    """Without that the tests here would say nothing."""
    items = "- a: {seq: [{op: conv2d, out_channels: =n, kernel_size: 1}]}"
    first, other, again = (step.target for step in archspec.compile(in_blocks(items)).root.steps)
    assert first is not again
    assert first.steps[0].target is again.steps[0].target is not other.steps[0].target  # type: ignore[union-attr]


def test_only_what_reads_a_parameter_is_built_again_for_another_value() -> None:
    first, other = twice("resnet18", {"num_classes": 7}, ItemCache(several_runs=True))
    same = [a.target is b.target for a, b in zip(first.root.steps, other.root.steps, strict=True)]
    assert same == [*[True] * (len(same) - 1), False]
