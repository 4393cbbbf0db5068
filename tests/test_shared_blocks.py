"""Instances of library blocks are kept for later runs; earlier runs must never affect a result."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

import archspec
from archspec.expressions.sizes import Dim
from archspec.frontend.model.block import Block
from archspec.frontend.model.dependencies import Rates
from archspec.ir.graph import Graph
from archspec.ir.module import Module
from archspec.passes.specialize import specializer

HEAD = "name: net\ninput: [8, 8, 8]\n"
INVERTED = "layers:\n- a: {block: InvertedResidual, out_channels: 8, expand_ratio: 2}\n"
OWN = "blocks:\n  InvertedResidual: {params: {out_channels: , expand_ratio: }, layers: [{op: relu}]}\n"
DENSE = "layers:\n- a: {block: DenseBlock, num_layers: 2, growth_rate: 4}\n"
SE = "layers:\n- a: {block: SqueezeExcitation, squeeze_channels: 2}\n"
OTHER_NORM = """blocks:
  ConvNormActivation:
    params: {out_channels: , kernel_size: 3, stride: 1, groups: 1, activation: relu}
    seq:
    - {op: conv2d, out_channels: =out_channels, kernel_size: 1, groups: =groups}
    - {op: =activation}
"""


def conv(**arguments: Any) -> str:
    given = "".join(f", {name}: {value}" for name, value in {"kernel_size": 3, **arguments}.items())
    return f"layers:\n- a: {{block: BasicConv2d, out_channels: 8{given}}}\n"


def deep(count: int) -> str:
    """A library block within so many others."""
    nested = "".join(f"  B{k}: {{layers: [b: {{block: B{k + 1}}}]}}\n" for k in range(count - 1))
    last = f"  B{count - 1}: {{layers: [b: {{block: InvertedResidual, out_channels: 8, expand_ratio: 2}}]}}\n"
    return f"blocks:\n{nested}{last}layers:\n- b: {{block: B0}}\n"


def limited(text: str, most: int) -> Callable[[], Graph]:
    return lambda: archspec.compile(HEAD + text, max_nodes=most)


def stage(entry: str, before: str = "", params: str = "{out: 8}") -> str:
    """A seq of the network, which is shared as a block is."""
    return f"params: {params}\nlayers:\n{before}- a: {{seq: [{entry}]}}\n"


CONVS = "{block: BasicConv2d, repeat: 2, index: i, out_channels: =out, kernel_size: 3}"
RELU = "- {op: relu}\n"

PAIRS: dict[str, tuple[Any, Any]] = {
    "a block within it is the spec's own": (INVERTED, OTHER_NORM + INVERTED),
    "it is the spec's own": (INVERTED, OWN + INVERTED),
    "1 and 1.0": (conv(stride=1), conv(stride=1.0)),
    "1 and true": (conv(stride=1), conv(stride="true")),
    "0 and false": (conv(padding=0), conv(padding="false")),
    "1 and '1'": (conv(stride=1), conv(stride="'1'")),
    "1 and 1.0 in a list": (conv(stride="[1, 1]"), conv(stride="[1, 1.0]")),
    "1 and true in a list": (conv(stride="[1, 1]"), conv(stride="[1, true]")),
    "another argument": (conv(stride=1), conv(stride=2)),
    "another name of an argument": (conv(stride=2), conv(padding=2)),
    "another block": (conv(), conv().replace("BasicConv2d", "ConvNormActivation")),
    "another shape": (INVERTED, INVERTED.replace("layers:\n", "layers:\n- {op: max_pool2d, kernel_size: 2}\n")),
    "another layout": (SE, SE.replace("layers:\n", "layers:\n- {op: permute, dims: [0, 2, 3, 1]}\n")),
    "another depth": (deep(20), deep(49)),
    "another limit": (limited(DENSE, 200), limited(DENSE, 3)),
    "another limit inside": (limited(INVERTED, 200), limited(INVERTED, 4)),
    "a parameter that a seq reads": (stage(CONVS), stage(CONVS, params="{out: 4}")),
    "a parameter with the name of an index": (stage(CONVS), stage(CONVS, params="{out: 8, i: 1}")),
    "another input of a seq": (stage(CONVS), stage(CONVS, "- {op: max_pool2d, kernel_size: 2}\n")),
    "another input in place of that before": (
        stage(CONVS, RELU),
        stage(CONVS, "- b: {op: max_pool2d, kernel_size: 2}\n" + RELU + "- {op: sigmoid, from: b}\n"),
    ),
    "another entry": (stage(CONVS), stage(CONVS.replace("3", "1"))),
    "another count": (stage(CONVS), stage(CONVS.replace("2,", "3,"))),
    "1 and true in a seq": (
        stage(CONVS.replace("kernel_size", "stride: 1, kernel_size")),
        stage(CONVS.replace("kernel_size", "stride: true, kernel_size")),
    ),
    "an entry that is left out": (stage(CONVS), stage(CONVS.replace("index", "when: =i > 0, index"))),
    "an entry with a name": (stage(CONVS), stage(CONVS.replace("{block", "b{i}: {block") + "}")),
    "an entry with inputs": (stage(CONVS), stage(CONVS.replace("index", "from: input, index"))),
    "a block in a seq is the spec's own": (
        stage("{block: InvertedResidual, out_channels: 8, expand_ratio: 2}"),
        OWN + stage("{block: InvertedResidual, out_channels: 8, expand_ratio: 2}"),
    ),
    "another limit for a seq": (limited(stage(CONVS), 200), limited(stage(CONVS), 5)),
}
"""Two networks that must not share a block, or only in part."""


@pytest.fixture(autouse=True)
def nothing_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of other tests are not seen here."""
    forget(monkeypatch)


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archspec.passes.specialize.specializer._SHARED", {})


def outcome(network: str | Callable[[], Graph]) -> Graph | str:
    """What a network compiles to, or what is said of its errors."""
    try:
        return archspec.compile(HEAD + network) if isinstance(network, str) else network()
    except archspec.SpecError as error:
        return str(error)


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
def test_what_was_compiled_before_does_not_show(pair: str, turned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = reversed(PAIRS[pair]) if turned else PAIRS[pair]
    alone = outcome(after)
    forget(monkeypatch)
    assert outcome(before) != alone
    assert outcome(after) == alone


def test_blocks_are_shared() -> None:
    """Otherwise the tests here would prove nothing."""
    first, second = (archspec.compile(HEAD + text).root.steps[0].target for text in (INVERTED, INVERTED))
    assert isinstance(first, Module)
    assert first is second
    assert archspec.compile(HEAD + OTHER_NORM + INVERTED).root.steps[0].target is not first


def test_stages_are_shared() -> None:
    """Where they are the same module: its steps know their place in the spec, and belong to no block."""
    texts = (stage(CONVS), stage(CONVS), stage(CONVS, RELU), OWN + stage(CONVS))
    first, second, behind, in_block = (archspec.compile(HEAD + text).root.steps[-1].target for text in texts)
    assert isinstance(first, Module)
    assert first is second
    assert first is not in_block
    assert isinstance(behind, Module)
    assert (first.steps[0].path[1], behind.steps[0].path[1]) == (0, 1)


@pytest.mark.parametrize(
    "text",
    [INVERTED, DENSE, SE, conv(stride=2), stage(CONVS.replace("=out", "8"))],
    ids=["inverted", "dense", "se", "conv", "stage"],
)
def test_source_code_and_analysis_do_not_share(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph for source code knows an expression behind each number; that for analysis knows numbers alone."""
    code = archspec.codegen(HEAD + text)
    after = archspec.compile(HEAD + text)
    assert not any(sizes_with_expressions(module) for module in after.root.modules)
    forget(monkeypatch)
    archspec.compile(HEAD + text)
    assert archspec.codegen(HEAD + text) == code


def sizes_with_expressions(module: Module) -> list[Any]:
    values = [*module.inputs, *(step.output for step in module.steps), list(module.arguments.values())]
    return [size for value in values for size in value if isinstance(size, Dim)]


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archspec.passes.specialize.specializer.MAX_SHARED", 2)
    for channels in range(1, 9):
        net = archspec.compile(HEAD + INVERTED.replace("8", str(channels)))
        assert net.output_shape == (channels, 8, 8)
        assert len(specializer._SHARED) <= 2


# -- within a run -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("item", ["{op: linear, out_features: 8}", "{block: B}"])
def test_an_item_of_literals_is_made_anew_for_another_layout(item: str) -> None:
    """Both rounds give it 8×8×8: the first one channels last, the second one channels first."""
    text = f"""
blocks:
  B: {{layers: [fc: {{op: linear, out_features: 8}}]}}
layers:
- repeat: 2
  index: i
  layers:
  - {{op: permute, dims: [0, 2, 3, 1], when: =i == 0}}
  - {{op: permute, dims: [0, 3, 1, 2], when: =i == 1}}
  - "a{{i}}": {item}
"""
    with pytest.raises(archspec.SpecError, match=r"a1.*: linear would act on the width of 8×8×8 only"):
        archspec.compile(HEAD + text)
    assert archspec.compile(HEAD + text.replace("repeat: 2", "repeat: 1")).output_shape == (8, 8, 8)


LONG = (
    "params: {a: 1, " + ", ".join(f"{name}: ={before} + {before}" for before, name in pairwise("abcdefghijk")) + "}\n"
)
"""Local names whose expressions become too long to be written."""


@pytest.mark.parametrize("params", ["", LONG], ids=["", "numbers alone"])
def test_source_code_of_blocks_that_differ_in_rates(params: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them is made of another; whole numbers are rates, too."""
    items = "c: {op: linear, out_features: =out}, d: {op: stochastic_depth, p: =p}"
    block = f"blocks: {{B: {{params: {{out: 8, p: 0.0}}, layers: [{items}]}}}}\n"
    uses = "\n".join(f"- a{number}: {{block: B{p}}}" for number, p in enumerate(("", ", p: 1", ", p: 0.5", ", p: 0")))
    text = f"name: net\ninput: [8]\n{params}{block}layers:\n{uses}\n"
    code = archspec.codegen(text)
    monkeypatch.setattr(Block, "rates", Rates())
    assert archspec.codegen(text) == code
