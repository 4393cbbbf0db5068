"""Images: what is drawn, that it is well formed, and that it needs nothing but pip."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from xml.etree import ElementTree

import pytest

import archspec
from archspec.backends.diagram import DIRECTIONS, FORMATS, render
from archspec.backends.diagram.counts import COUNTS
from archspec.backends.diagram.drawing import LEGIBLE_BOXES, Box, Cluster, drawing
from archspec.backends.diagram.grouping import Unit, runs, units_of
from archspec.backends.op_labels import phrase, quantity
from archspec.diagnostics.diagnostic import TargetError
from archspec.frontend.loader import shipped
from archspec.ir.graph import Graph

SVG = "{http://www.w3.org/2000/svg}"
MAGIC = {"svg": b"<?xml", "png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-", "dot": b"digraph"}
HOSTILE = '"><script>alert(1)</script> \\N \\G ]]> --> </td></table>> {|} &amp; \x00\x1b[31m \u202e end'


def clusters(items: tuple[Box | Cluster, ...]) -> Iterator[Cluster]:
    for item in items:
        if isinstance(item, Cluster):
            yield item
            yield from clusters(item.items)


def text_of(svg: bytes) -> str:
    return "\n".join(element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text"))


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_spec_is_legible(name: str) -> None:
    graph = archspec.compile(name)
    drawn = drawing(graph)
    assert 5 <= len(drawn.boxes) <= LEGIBLE_BOXES
    svg = render(graph)
    shown = [node for node in ElementTree.fromstring(svg).iter(f"{SVG}g") if node.get("class") == "node"]
    assert len(shown) == len(drawn.boxes)
    assert f"{graph.name}\n" in text_of(svg)


@pytest.mark.parametrize(("name", "stages"), [("resnet101", [3, 4, 23, 3]), ("resnet18", [2, 2, 2, 2])])
def test_folded_blocks_add_up(name: str, stages: list[int]) -> None:
    drawn = drawing(archspec.compile(name))
    frames = list(clusters(drawn.items))
    assert [frame.title for frame in frames] == ["layer1", "layer2", "layer3", "layer4"]
    assert [sum(item.times for item in frame.items) for frame in frames] == stages


def test_first_block_of_a_stage_stands_alone() -> None:
    layer3 = list(clusters(drawing(archspec.compile("resnet101")).items))[2]
    assert [(item.title, item.times) for item in layer3.items] == [("Bottleneck", 1), ("Bottleneck", 22)]


@pytest.mark.parametrize(
    ("name", "times"),
    [("convnext_tiny", [3, 3, 9, 3]), ("efficientnet_b1", [1, 1, 1, 2, 1, 2, 1, 3, 1, 3, 1, 4, 1, 1])],
)
def test_blocks_that_differ_in_their_drop_rate_are_folded(name: str, times: list[int]) -> None:
    drawn = [box for box in drawing(archspec.compile(name)).boxes if "Block" in box.title or "MBConv" in box.title]
    assert [box.times for box in drawn] == times
    assert drawn[-1].details[0].startswith("conv 7×7" if "convnext" in name else "conv 1×1, 3×3, 1×1")


def test_rates_that_differ_are_written_as_a_range() -> None:
    graph = archspec.compile("convnext_tiny")
    (block,) = (box for box in drawing(graph).boxes if box.times == 9)
    assert block.details == (
        "conv 7×7 · identity shortcut",
        "stochastic depth 0.0353 – 0.0824",
        "0 – 8 · 9 × 1.20 M params",
    )
    opened = drawing(graph, depth=4)
    (frame,) = (frame for frame in clusters(opened.items) if frame.times == 9)
    assert frame.details == ("0 – 8 · 9 × 1.20 M params", "stochastic depth 0.0353 – 0.0824")
    assert any("stochastic depth 0.0353 – 0.0824" in item.title for item in frame.items if isinstance(item, Box))
    assert (
        "stochastic depth" not in drawing(archspec.compile("convnext_tiny", stochastic_depth_prob=0.0)).boxes[2].details
    )


@pytest.mark.parametrize(
    ("name", "role", "found"),
    [
        ("vgg16_bn", "convolution", [1, 1, 1, 1, 1, 2, 1, 2, 3]),
        ("vgg16", "linear", [1, 1, 1]),
        ("alexnet", "linear", [1, 1, 1]),
    ],
)
def test_layers_are_folded_if_they_are_equal_in_shape_and_parameters(name: str, role: str, found: list[int]) -> None:
    """Of two layers `linear 4096` of VGG-16, one has 103 M parameters, the other 16.8 M."""
    boxes = [box for box in drawing(archspec.compile(name)).boxes if box.role == role]
    assert [box.times for box in boxes] == found
    for box in boxes:
        assert re.search(
            rf"^\w+( – \w+)? · {f'{box.times} × ' if box.times > 1 else ''}[\d.]+ [KM] params$", box.details[0]
        )


SHORTCUTS = """
name: net
input: [8, 8, 8]
blocks:
  Two:
    layers:
    - a: {op: conv2d, out_channels: 8, kernel_size: 1}
    - first: {op: add, from: [a, input]}
    - b: {op: conv2d, out_channels: 8, kernel_size: 1}
    - {op: dropout, p: 0.5, from: first}
    - {op: add, from: [b, first]}
  Projected:
    layers:
    - a: {op: conv2d, out_channels: 8, kernel_size: 1}
    - b: {op: conv2d, out_channels: 8, kernel_size: 1}
    - c: {op: conv2d, out_channels: 8, kernel_size: 1, from: input}
    - {op: add, from: [c, b]}
  Pooled:
    layers:
    - a: {op: conv2d, out_channels: 8, kernel_size: 1}
    - p: {op: max_pool2d, kernel_size: 1, from: input}
    - {op: add, from: [a, p]}
  Branches:
    layers:
    - a: {op: conv2d, out_channels: 8, kernel_size: 1}
    - b: {op: conv2d, out_channels: 8, kernel_size: 1, from: input}
    - {op: add, from: [a, b]}
  Gated:
    layers:
    - a: {op: conv2d, out_channels: 8, kernel_size: 1}
    - {op: mul, from: [a, input]}
layers:
- two: {block: Two}
- projected: {block: Projected}
- pooled: {block: Pooled}
- branches: {block: Branches}
- gated: {block: Gated}
"""


def test_values_of_one_box_to_another_show_all_their_shapes() -> None:
    drawn = drawing(archspec.compile("lraspp_mobilenet_v3_large"), depth=1)
    backbone, head = (box for box in drawn.boxes if box.path in ("backbone", "classifier"))
    labels = [edge.label for edge in drawn.edges if (edge.tail, edge.head) == (backbone.id, head.id)]
    assert labels == ["40×65×65, 960×33×33"]
    assert backbone.details[0] == "2 × ConvNormActivation · 7 × InvertedResidual · 8 × InvertedResidualSE"
    assert "shortcut" not in " ".join(head.details)  # a sum of two inputs, each behind a convolution


def test_neighbours_that_look_the_same_show_in_what_they_differ() -> None:
    boxes = [box for box in drawing(archspec.compile("swin_t"), depth=3).boxes if box.title == "SwinTransformerBlock"]
    shifts = [re.findall("shift_size (\\S+)", " ".join(box.details)) for box in boxes]
    assert shifts == [["0×0"], ["3×3"]] * 5 + [[]]  # at 7×7, one window is all there is, and nothing is shifted
    assert not any("num_heads" in detail for box in boxes for detail in box.details)


def test_a_line_is_not_broken_between_a_number_and_what_it_counts() -> None:
    lines = text_of(render(archspec.compile("squeezenet1_0"), depth=1)).splitlines()
    assert {"features · conv · 3 × max pool ·", "8 × Fire"} <= {*lines}


def test_a_closed_block_says_which_shortcut_it_has() -> None:
    shown = {box.path: box.details[0] for box in drawing(archspec.compile(SHORTCUTS), depth=1).boxes[1:-1]}
    assert shown == {
        "two": "conv 1×1, 1×1 · 2 identity shortcuts", "projected": "conv 1×1, 1×1 · projection shortcut",
        "pooled": "conv 1×1 · parameter-free shortcut", "branches": "conv 1×1 · 144 params",
        "gated": "conv 1×1 · 72 params",
    }  # fmt: skip


def test_a_transformer_block_says_what_is_in_it() -> None:
    graph = archspec.compile("vit_b_16")
    (encoder,) = (box for box in drawing(graph, 1).boxes if box.path == "encoder")
    assert encoder.details[0].startswith("12 × EncoderBlock")
    (block,) = (box for box in drawing(graph, 3).boxes if box.times == 12)
    assert block.details[0] == "multi head attention, MLPBlock"
    assert "2 identity shortcuts" in block.details[1]


def test_the_first_block_of_a_stage_projects() -> None:
    lines = [box.details[0] for box in drawing(archspec.compile("resnet50")).boxes if box.role == "block"]
    assert [line.rpartition(" · ")[2] for line in lines] == ["projection shortcut", "identity shortcut"] * 4


def test_squeeze_and_excitation_is_named_where_it_is() -> None:
    boxes = [box for box in drawing(archspec.compile("mobilenet_v3_large"), 2).boxes if box.role == "block"]
    assert [box.path for box in boxes if "SqueezeExcitation" in " ".join(box.details)] == [
        f"features.{place}" for place in ("4", "5 – 6", "11", "12", "13", "14 – 15")
    ]
    for box in boxes:
        assert box.title == "InvertedResidual" + "SE" * ("SqueezeExcitation" in " ".join(box.details))


def test_what_boxes_say_of_their_cost() -> None:
    graph = archspec.compile("resnet18")
    shown = [box.details[-1] for box in drawing(graph, depth=1, show=("params", "macs", "activations")).boxes[1:3]]
    assert shown == ["2.41 M activations", "maxpool · 201 K activations"]
    assert drawing(graph, depth=1, show=("macs",)).boxes[1].details == ("conv1 · 118 M MACs",)
    assert "params" not in render(graph, "dot", depth=1, show=()).decode().partition("input [")[2]
    with pytest.raises(TargetError, match=r"(?s)unknown count 'flops'.*params, macs, activations"):
        render(graph, show=["flops"])


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "densenet121", "shufflenet_v2_x1_0", "lenet"])
def test_the_counts_of_boxes_add_up_to_those_of_the_network(name: str) -> None:
    graph = archspec.compile(name)
    units = [unit for run in grouped(graph) for unit in run]
    for count, whole in (("params", graph.params), ("macs", graph.macs), ("activations", activations_of(graph))):
        steps = [graph.root.steps[number] for unit in units for number in unit.steps]
        assert sum(COUNTS[count][1](graph.root, step) for step in steps) == whole


def grouped(graph: Graph) -> list[list[Unit]]:
    return list(runs(graph.root, units_of(graph.root, frozenset(), lambda module: False), frozenset()))


def activations_of(graph: Graph) -> int:
    return sum(layer.activations for layer in graph.layers)


def test_depth_1_is_the_top_level() -> None:
    drawn = drawing(archspec.compile("resnet101"), depth=1)
    assert list(clusters(drawn.items)) == []
    assert len(drawn.boxes) == 10


def test_depth_opens_blocks_and_branches() -> None:
    graph = archspec.compile("googlenet")
    counts = [len(drawing(graph, depth).boxes) for depth in (1, 2, 3, 9)]
    assert counts == sorted(counts)
    assert counts[2] == counts[3] > 9 * 7
    opened = drawing(graph, depth=2)
    concat = next(box for box in opened.boxes if box.title == "concat")
    assert len([edge for edge in opened.edges if edge.head == concat.id]) == 4


def test_a_skip_connection_stays_in_its_block() -> None:
    drawn = drawing(archspec.compile("resnet18"), depth=3)
    add = next(box for box in drawn.boxes if box.title == "add · relu")
    tails = {edge.tail for edge in drawn.edges if edge.head == add.id}
    assert len(tails) == 2
    assert any(box.role == "fork" for box in drawn.boxes if box.id in tails)


@pytest.mark.parametrize("depth", [None, 1, 2, 3])
@pytest.mark.parametrize("name", ["resnet18", "googlenet", "lenet"])
def test_edges_join_boxes_and_reach_all(name: str, depth: int | None) -> None:
    drawn = drawing(archspec.compile(name), depth)
    ids = [box.id for box in drawn.boxes]
    assert len(ids) == len(set(ids))
    assert {edge.head for edge in drawn.edges} == set(ids) - {"input"}
    assert {edge.tail for edge in drawn.edges} == {i for i in ids if not i.startswith("output")}


def test_a_dense_block_is_one_box_that_says_how_it_grows() -> None:
    graph = archspec.compile("densenet201")
    (block,) = (box for box in drawing(graph).boxes if box.title == "denseblock3 · DenseBlock")
    assert block.details == ("48 × DenseLayer, 256 + 48 × 32 channels", "8.07 M params")


@pytest.mark.parametrize("depth", [3, 9])
def test_an_opened_dense_block_is_one_box_for_all_its_layers(depth: int) -> None:
    drawn = drawing(archspec.compile("densenet201"), depth)
    layers = [box for box in drawn.boxes if box.title.endswith("DenseLayer")]
    assert [box.times for box in layers] == [6, 12, 48, 32]
    assert layers[2].title == "denselayer1 – denselayer48 · DenseLayer"
    assert layers[2].details == ("conv 1×1, 3×3 · adds 32 channels", "48 × 70.4 K – 266 K params")
    concats = {box.id for box in drawn.boxes if box.title == "concat"}
    assert [(edge.label, edge.head in concats) for edge in drawn.edges if edge.tail == layers[2].id] == [
        ("32×14×14", True)
    ]


def test_training_only_items_are_dashed() -> None:
    drawn = drawing(archspec.compile("googlenet"))
    dashed = {box.title for box in drawn.boxes if box.train_only}
    assert dashed == {"aux1 · InceptionAux", "aux2 · InceptionAux", "aux_logits1", "aux_logits2"}
    assert "training only" in text_of(render(archspec.compile("googlenet")))


def test_legend_lists_what_appears() -> None:
    shown = text_of(render(archspec.compile("lenet")))
    assert all(word in shown for word in ("convolution", "pooling", "linear"))
    assert not any(word in shown for word in ("join", "block", "training only", "shared weights"))


def test_shared_weights_are_their_own_kind() -> None:
    layers = "- conv: {op: conv2d, out_channels: 3, kernel_size: 1}\n- {op: relu}\n- call: conv\n- {op: sigmoid}\n"
    drawn = drawing(archspec.compile(f"name: twice\ninput: [3, 8, 8]\nlayers:\n{layers}"))
    assert [box.role for box in drawn.boxes] == ["end", "convolution", "call", "activation", "end"]
    assert drawn.boxes[2].title == "conv again"


@pytest.mark.parametrize("format", FORMATS)
def test_formats(format: str) -> None:
    assert render(archspec.compile("lenet"), format).startswith(MAGIC[format])


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_directions(direction: str) -> None:
    root = ElementTree.fromstring(render(archspec.compile("lenet"), direction=direction))
    width, height = (float(root.attrib[name]) for name in ("width", "height"))
    assert (width > height) == (direction in ("LR", "RL"))
    texts = {text.text: text for text in root.iter(f"{SVG}text")}
    along = "x" if direction in ("LR", "RL") else "y"
    first, last = (float(texts[end].attrib[along]) for end in ("input", "output"))
    assert (first < last) == (direction in ("TB", "LR"))


def test_a_hostile_description_stays_text() -> None:
    graph = replace(archspec.compile("lenet"), description=HOSTILE)
    svg = render(graph)
    tags = {element.tag.removeprefix(SVG) for element in ElementTree.fromstring(svg).iter()}
    assert tags <= {"svg", "g", "title", "desc", "style", "rect", "polygon", "path", "text"}
    shown = re.sub(r"\s+", " ", text_of(svg))
    assert '"><script>alert(1)</script> \\N \\G ]]> -->' in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_hostile_names_stay_text() -> None:
    graph = archspec.compile("lenet")
    first = replace(graph.root.steps[0], name=HOSTILE, label=HOSTILE)
    graph = Graph(HOSTILE, graph.class_name, replace(graph.root, steps=(first, *graph.root.steps[1:])))
    svg = render(graph)
    assert not list(ElementTree.fromstring(svg).iter(f"{SVG}script"))
    assert "<script>alert(1)</script>" in text_of(svg)
    assert len(drawing(graph).boxes) == svg.count(b'class="node"')


def test_unknown_format_and_direction() -> None:
    graph = archspec.compile("lenet")
    with pytest.raises(TargetError, match=r"(?s)unknown format 'svgz'.*expected one of svg, png, pdf, dot"):
        render(graph, "svgz")
    with pytest.raises(TargetError, match=r"(?s)unknown direction 'up'.*expected one of TB, LR, BT, RL"):
        render(graph, direction="up")
    with pytest.raises(TargetError, match="depth must be 1 or more, got 0"):
        render(graph, depth=0)


def test_a_closed_block_names_the_convolutions_of_its_longest_way() -> None:
    assert "conv 1×1, 5×5" in text_of(render(archspec.compile("inception_v3")))  # of the auxiliary head
    text = """
name: net
input: [3, 32, 32]
blocks:
  Unit: {params: {k: 3}, seq: [{op: conv2d, out_channels: 8, kernel_size: =k}, {op: relu}]}
  Mixed:
    layers:
    - first: {op: conv2d, out_channels: 8, kernel_size: 1}
    - second: {block: Unit, k: 5}
    - third: {block: Unit}
    - short: {op: conv2d, out_channels: 8, kernel_size: 7, from: input}
    - {op: add, from: [third, third]}
layers:
- mixed: {block: Mixed}
"""
    assert "conv 1×1, 5×5, 3×3" in text_of(archspec.render(text, depth=1))


def test_too_many_boxes_are_refused() -> None:
    pair = "[{op: mean, dim: [1], keepdim: true}, {op: max_pool2d, kernel_size: 1}]"
    text = f"name: long\ninput: [3, 8, 8]\nlayers:\n- {{repeat: 1500, layers: {pair}}}\n"
    with pytest.raises(TargetError, match="more than 1,000 boxes"):
        render(archspec.compile(text))


def test_phrases_and_quantities() -> None:
    graph = archspec.compile("resnext50_32x4d")
    block = next(module for module in graph.root.modules if module.definition == "Bottleneck")
    grouped = next(step for step in block.steps if step.name == "conv2")
    assert not isinstance(grouped.target, int)
    assert phrase(grouped.target, block.shapes(grouped)) == "conv 3×3, 128, 32 groups"  # type: ignore[arg-type]
    assert [quantity(n) for n in (0, 999, 1000, 25_600_000)] == ["0", "999", "1.00 K", "25.6 M"]


def test_a_closed_block_of_blocks_says_how_many() -> None:
    shown = text_of(render(archspec.compile("regnet_y_400mf")))
    assert all(f"{count} × ResBottleneckBlock" in shown for count in (3, 6))
    assert "1 × " not in shown
    assert "ResBottleneckBlock · 10.0 K params" in shown


def test_a_block_without_layers_is_a_box_at_any_depth() -> None:
    spec = """
name: net
input: [3, 8, 8]
blocks:
  Twice:
    layers: [{op: relu, when: false}]
    outputs: {one: input, other: input}
layers:
- b: {block: Twice}
- {op: add, from: [b.one, b.other]}
"""
    for depth in (1, 2, 3):
        shown = text_of(archspec.render(spec, overrides={}, depth=depth, show="activations"))
        assert "b · Twice" in shown
        assert "384 activations" in shown  # of two values, 3×8×8 each
