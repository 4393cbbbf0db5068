"""The summary: rows and totals agree with the graph, repeats are folded exactly, and every format can be trusted."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from test_graph import macs_of_functions

import archspec
from archspec.backends.summary import data, summarise
from archspec.backends.summary.columns import Columns, fit
from archspec.backends.summary.rows import Row, rows, totals
from archspec.frontend.loader import shipped
from archspec.ir.graph import Graph

EVERYTHING = 99

SMALL = """
name: small
description: A *small* one.
input: [3, 8, 8]
blocks:
  Twice:
    layers:
    - conv: {op: conv2d, out_channels: 3, kernel_size: [3, 1], padding: [1, 0]}
    - call: conv
layers:
- body:
    seq:
    - {op: relu}
    - {block: Twice, repeat: 3}
- aux: {op: conv2d, out_channels: 2, kernel_size: 1, train_only: true}
- {op: flatten}
- fc: {op: linear, out_features: 2}
"""

TABLE = """\
small  3×8×8 → 2
A *small* one.

Module         Type                    Output  Params    MACs  Receptive field  Stride
──────────────────────────────────────────────────────────────────────────────────────
small          Small                   2          484  10,752             20×8       8
├─ body        seq                     3×8×8       90  10,368             13×1       1
│  ├─ 0        relu                    3×8×8        –       –                1       1
│  └─ 1–3      Twice ×3                3×8×8       90  10,368             13×1       1
│     └─ conv  conv2d ×3 (runs 2×)     3×8×8       90  10,368             11×1       1
├─ aux         conv2d (training only)  2×8×8        8       –             13×1       1
└─ fc          linear                  2          386     384             20×8       8
──────────────────────────────────────────────────────────────────────────────────────
Layers             6
"""


def shown(graph: Graph, depth: int | None = None) -> dict[str, Row]:
    return {row.path: row for row in rows(graph, depth)}


def closed(found: list[Row]) -> list[Row]:
    """The rows with nothing below them."""
    return [
        row for row, after in zip(found, [*found[1:], None], strict=True) if after is None or after.depth <= row.depth
    ]


def leaves(net: Graph) -> list[Row]:
    """The rows of leaf modules: without tensors that are a block's own."""
    return [row for row in closed(rows(net, EVERYTHING)) if row.type not in ("parameter", "buffer")]


@pytest.mark.parametrize("depth", [None, 0, 1, 2, 3, EVERYTHING])
@pytest.mark.parametrize("name", shipped())
def test_closed_rows_add_up_to_the_network(name: str, depth: int | None) -> None:
    net = archspec.compile(name)
    found = closed(rows(net, depth))
    assert sum(row.params for row in found) == net.params
    opened = macs_of_functions(net.root) if depth == EVERYTHING else 0
    assert sum(row.macs for row in found) + opened == net.macs
    assert sum(row.buffers for row in found) == net.buffers
    assert sum(row.params for row in found if row.train_only) in (net.train_only_params, 0 if depth == 0 else -1)


@pytest.mark.parametrize("name", shipped())
def test_rows_agree_with_layers(name: str) -> None:
    net = archspec.compile(name)
    found = [row for row in leaves(net) if row.repeats == 1]
    layers = {layer.name: layer for layer in net.layers}
    assert found
    for row in found:
        layer = layers[row.path]
        numbers = (row.type, row.output_shape, row.params, row.buffers, row.macs, row.field, row.train_only, row.runs)
        assert numbers == (
            layer.type, layer.output_shape, layer.params, layer.buffers, layer.macs, layer.field, layer.train_only,
            layer.calls,
        )  # fmt: skip


@pytest.mark.parametrize("name", shipped())
def test_repeats_stand_for_all_layers(name: str) -> None:
    net = archspec.compile(name)
    assert sum(row.repeats for row in leaves(net)) == len(net.layers)


def test_repeats_are_folded() -> None:
    row = shown(archspec.compile("resnet101"))["layer3.1–22"]
    assert (row.type, row.repeats, row.output_shape) == ("Bottleneck", 22, (1024, 14, 14))
    assert row.params == 22 * 1_117_184
    assert row.macs == 22 * 218_365_952
    assert row.field is not None
    assert (row.field.pixels, row.field.stride) == ((811, 811), (16, 16))


def test_blocks_that_differ_in_their_drop_rate_are_folded() -> None:
    row = shown(archspec.compile("convnext_tiny"))["features.5.0–8"]
    assert (row.type, row.repeats, row.params, row.macs) == ("CNBlock", 9, 10_817_280, 2_114_090_496)


def test_only_equal_neighbours_are_folded() -> None:
    """Blocks with other arguments, ops, and what stands apart from its like stay rows of their own."""
    net = archspec.compile("""
name: net
input: [3, 8, 8]
blocks:
  A: {params: {k: 3}, layers: [{c: {op: conv2d, out_channels: 3, kernel_size: =k, padding: =k // 2}}]}
layers:
- s:
    seq:
    - {block: A}
    - {block: A, k: 5}
    - {block: A}
    - {op: relu}
    - {op: relu}
    - {block: A}
- a1: {block: A}
- a2: {block: A}
- a3: {block: A, from: a1}
""")
    assert list(shown(net)) == ["", "s", "s.0", "s.1", "s.2", "s.3", "s.4", "s.5", "a1–a2", "a3"]


def test_blocks_are_closed_by_default() -> None:
    found = {row.type for row in rows(archspec.compile("googlenet"))}
    assert {"BasicConv2d", "Inception", "InceptionAux", "max_pool2d", "linear"} <= found
    assert "conv2d" not in found


def test_depth() -> None:
    net = archspec.compile("resnet18")
    for depth in range(4):
        assert max(row.depth for row in rows(net, depth)) == depth
    assert [row.path for row in rows(net, 1)][1:] == [step.name for step in net.root.registered]


def test_what_is_not_counted_is_said() -> None:
    found = totals(archspec.compile("resnet101"))
    assert found.counted == {"conv2d": 104, "linear": 1}
    assert found.uncounted == {
        "batch_norm2d": 104, "relu": 100, "add": 33, "adaptive_avg_pool2d": 1, "flatten": 1, "max_pool2d": 1,
    }  # fmt: skip


def test_training_only_layers_are_counted_apart() -> None:
    net = archspec.compile("googlenet")
    found = totals(net)
    assert (found.params, found.train_only_params, found.macs) == (13_004_888, 6_379_984, 1_498_376_192)
    assert found.counted == {"conv2d": 57, "linear": 1}
    table = shown(net)
    assert (table["aux1"].macs, table["aux1"].params, table["aux1"].train_only) == (0, 3_188_968, True)
    assert found.activations == sum(layer.activations for layer in net.layers if "aux" not in layer.name)


def test_memory() -> None:
    found = totals(archspec.compile("vgg11"))
    assert found.memory("float32") == (4 * 132_863_336, 4 * found.activations)
    assert found.memory("bfloat16") == found.memory("float16") == (2 * 132_863_336, 2 * found.activations)


def test_table() -> None:
    text = summarise(archspec.compile(SMALL), depth=EVERYTHING)
    assert text.startswith(TABLE)


@pytest.mark.parametrize("width", [None, 80])
def test_colour_adds_nothing_but_colour(width: int | None) -> None:
    net = archspec.compile("googlenet")
    coloured = summarise(net, colour=True, width=width)
    assert "\033[" in coloured
    for code in ("\033[0m", "\033[1m", "\033[2m", "\033[33m"):
        coloured = coloured.replace(code, "")
    assert coloured == summarise(net, width=width)


NARROW = """\
small  3×8×8 → 2
A *small* one.

Module         Type               Output  Params    MACs
────────────────────────────────────────────────────────
small          Small              2          484  10,752
├─ body        seq                3×8×8       90  10,368
│  ├─ 0        relu               3×8×8        –       –
│  └─ 1–3      Twice ×3           3×8×8       90  10,368
│     └─ conv  conv2d ×3 (runs …  3×8×8       90  10,368
├─ aux         conv2d (training…  2×8×8        8       –
└─ fc          linear             2          386     384
────────────────────────────────────────────────────────
Layers             6
"""


def test_table_of_a_narrow_terminal() -> None:
    """The last columns are left out, and types are cut; what is not shown is named."""
    text = summarise(archspec.compile(SMALL), depth=EVERYTHING, width=56)
    assert text.startswith(NARROW)
    assert text.endswith("\nnot shown          Receptive field, Stride")


@pytest.mark.parametrize("name", ["lenet", "resnet50", "googlenet", "efficientnet_b0", "densenet121", "inception_v3"])
@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("depth", [None, 2])
def test_no_line_is_wider_than_the_terminal(name: str, width: int, depth: int | None) -> None:
    net = archspec.compile(name)
    text = summarise(net, depth=depth, width=width)
    assert max(map(len, text.splitlines())) <= width
    rules = [number for number, line in enumerate(text.splitlines()) if set(line) == {"─"}]
    assert rules[1] - rules[0] - 1 == len(rows(net, depth)), "a row takes one line"


@pytest.mark.parametrize(
    ("width", "header"),
    [
        (120, ["Module", "Type", "Output", "Params", "MACs", "Receptive", "field", "Stride"]),
        (86, ["Module", "Type", "Output", "Params", "MACs", "Receptive", "field"]),
        (80, ["Module", "Type", "Output", "Params", "MACs"]),
        (60, ["Module", "Output", "Params", "MACs"]),
        (45, ["Module", "Params", "MACs"]),
        (30, ["Module", "Params"]),
        (10, ["Module"]),
    ],
)
def test_columns_are_left_out_by_rank(width: int, header: list[str]) -> None:
    lines = summarise(archspec.compile("resnet50"), width=width).splitlines()
    rule = next(number for number, line in enumerate(lines) if set(line) == {"─"})
    assert lines[rule - 1].split() == header
    assert max(map(len, lines[rule - 1 : rule + 10])) <= width


@pytest.mark.parametrize(
    ("width", "found"),
    [
        (None, Columns((0, 1, 2), (10, 20, 8))),
        (42, Columns((0, 1, 2), (10, 20, 8))),
        (41, Columns((0, 1, 2), (10, 19, 8))),
        (28, Columns((0, 1, 2), (10, 6, 8))),
        (27, Columns((0, 1), (10, 15), (2,))),
        (18, Columns((0, 1), (10, 6), (2,))),
        (17, Columns((0,), (10,), (1, 2))),
        (9, Columns((0,), (9,), (1, 2))),
        (1, Columns((0,), (1,), (1, 2))),
    ],
)
def test_columns_that_fit(width: int | None, found: Columns) -> None:
    assert fit([10, 20, 8], least=[10, 6, 8], ranks=[2, 1], width=width) == found
    assert width is None or found.width <= width


def test_words_of_the_title_and_the_totals_stay_whole() -> None:
    net = archspec.compile("googlenet")
    for width in (41, 60, 80):
        text = " ".join(summarise(net, width=width).split())
        assert f"{net.description} {net.reference}" in text
        assert "6,379,984 of them in layers that run in training only" in text


def test_json() -> None:
    found = json.loads(archspec.summary("resnet50", format="json"))
    net = archspec.compile("resnet50")
    numbers = {
        "name": "resnet50", "input_shape": [3, 224, 224], "output_shape": [1000], "params": 25_557_032,
        "train_only_params": 0, "macs": 4_089_184_256, "flops": 2 * 4_089_184_256,
    }  # fmt: skip
    assert numbers.items() <= found.items()
    assert len(found["layers"]) == len(net.layers) == 126
    first = {
        "name": "conv1", "type": "conv2d", "input_shape": [3, 224, 224], "output_shape": [64, 112, 112],
        "params": 9408, "macs": 118_013_952, "receptive_field": 7, "output_stride": 2,
    }  # fmt: skip
    assert first.items() <= found["layers"][0].items()
    assert sum(layer["macs"] for layer in found["layers"]) == found["macs"]


def test_json_gives_both_sides_of_an_oblong_field() -> None:
    found = json.loads(archspec.summary(SMALL, format="json"))
    assert found["layers"][1]["receptive_field"] == [3, 1]
    assert found["layers"][1]["output_stride"] == 1
    assert data.square((0.5, 2.0)) == [0.5, 2]


def test_csv() -> None:
    net = archspec.compile("googlenet")
    found = list(csv.DictReader(io.StringIO(summarise(net, "csv"))))
    assert [row["name"] for row in found] == [layer.name for layer in net.layers]
    assert sum(int(row["params"]) for row in found) == net.params
    assert sum(int(row["macs"]) for row in found if row["macs"]) == net.macs
    assert {row["macs"] for row in found if row["type"] == "batch_norm2d"} == {""}
    assert found[0]["input_shape"] == "3x224x224"
    assert {row["train_only"] for row in found} == {"true", "false"}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_csv_cells_are_no_formulas(text: str) -> None:
    assert data._cell(text) == f"'{text}"


HOSTILE = r"""
name: net
description: "a | b <script>alert(1)</script> [x](javascript:y) \e[31mred\nnext"
reference: "_x_ `code` \u202e"
input: [4]
layers:
- my_fc: {op: linear, out_features: 2}
"""


def test_free_text_cannot_drive_a_terminal() -> None:
    text = archspec.summary(HOSTILE)
    assert "\033" not in text
    assert "\u202e" not in text
    assert text.splitlines()[1].endswith(r"\u{1b}[31mred next")


def test_markdown_is_escaped() -> None:
    lines = archspec.summary(HOSTILE, format="markdown").splitlines()
    about = r"a \| b \<script\>alert(1)\</script\> \[x\](javascript:y)"
    assert lines[2].startswith(about)
    assert lines[4].startswith(r"\_x\_ \`code\`")
    assert "| my_fc | linear | 2 | 10 | 8 | – | – |" in lines


def test_markdown_table_has_a_cell_for_each_column() -> None:
    lines = archspec.summary("resnet18", format="markdown").splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + len(rows(archspec.compile("resnet18")))
    assert {line.count("|") for line in table} == {8}
    assert any("layer1.0–1" in line for line in table)


@pytest.mark.parametrize("arguments", [{"format": "tabel"}, {"depth": -1}])
def test_wrong_arguments(arguments: dict[str, Any]) -> None:
    with pytest.raises(archspec.SpecError, match=r"expected one of table, json, csv, markdown|depth must be 0 or more"):
        archspec.summary("lenet", **arguments)


def test_each_module_is_looked_at_once() -> None:
    """Ten thousand blocks in one row: what a row costs does not depend on what it stands for."""
    net = archspec.compile(
        """
name: deep
input: [3, 8, 8]
blocks:
  A: {layers: [{c: {op: conv2d, out_channels: 3, kernel_size: 3, padding: 1}}, {op: relu}]}
layers:
- body: {seq: [{block: A, repeat: 10000}]}
""".replace("100_000", "100000")
    )
    found = rows(net)
    assert [row.name for row in found] == ["deep", "body", "0–9999"]
    assert found[2].params == found[0].params == 10_000 * 84
    assert found[2].field is not None
    assert found[2].field.pixels == (20_001, 20_001)


def test_what_is_inside_a_module_runs_as_often_as_it_does() -> None:
    table = shown(archspec.compile("""
name: net
input: [4, 8, 8]
blocks:
  Twice: {layers: [{conv: {op: conv2d, out_channels: 4, kernel_size: 1, bias: false}}, {call: conv}]}
layers:
- twice: {block: Twice}
- {call: twice}
- {call: twice, train_only: true}
"""), 2)  # fmt: skip
    assert table["twice"].macs == table["twice.conv"].macs == 4 * 4 * 8 * 8 * 4
    assert (table["twice"].runs, table["twice.conv"].runs) == (3, 6)
