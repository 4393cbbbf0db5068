"""The style of generated files: arguments that stay arguments, and sums as written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

import archspec
from archspec.diagnostics.diagnostic import SpecError

EXAMPLES: Final = Path(__file__).parent / "fixtures" / "examples"


def lines_of(source: str) -> list[str]:
    return [line.strip() for line in archspec.codegen(source).splitlines()]


def test_growth_of_dense_blocks_stays_an_argument() -> None:
    """In each round of a loop the width grows by the argument, in blocks of several lengths and inputs."""
    text = archspec.expand("densenet121").replace("growth_rate: 32", "growth_rate: =growth")
    found = lines_of(text.replace("params: {num_classes", "params: {growth: 32, num_classes"))
    assert "def densenet121(growth: int = 32, num_classes: int = 1000) -> DenseNet121:" in found
    assert 'self.add_module(f"denselayer{i + 1}", DenseLayer(in_channels + i * growth_rate, growth_rate))' in found
    assert "denseblock1=DenseBlock(64, 6, growth)," in found
    assert "denseblock2=DenseBlock((64 + 6 * growth) // 2, 12, growth)," in found


ACTIVATIONS = """
name: activations
input: [3, 8, 8]
blocks:
  Act:
    params: {width: null, act: relu}
    layers:
    - conv: {op: conv2d, out_channels: =width, kernel_size: 3, padding: 1}
    - after: {op: =act}
layers:
- a: {block: Act, width: 8, act: leaky_relu}
- b: {block: Act, width: 8, act: elu}
"""


def test_an_op_with_default_fields_is_an_argument() -> None:
    found = lines_of(ACTIVATIONS)
    assert "self.after = act(inplace=True)" in found
    assert '"""conv2d and act."""' in found
    assert [line for line in found if line.startswith("self.") and "Act(" in line] == [
        "self.a = Act(3, 8, act=nn.LeakyReLU)", "self.b = Act(8, 8, act=nn.ELU)",
    ]  # fmt: skip


def test_branches_are_written_into_the_cat_that_follows_them() -> None:
    """Whatever ran before the first of them."""
    branches = "".join(f"- {name}: {{op: conv2d, out_channels: 8, kernel_size: 1, from: y}}\n" for name in "ab")
    items = f"- {{op: sigmoid, as: y}}\n{branches}- {{op: cat, from: [a, b]}}\n"
    found = lines_of(f"name: n\ninput: [8, 8, 8]\nlayers:\n{items}")
    assert "return torch.cat([self.a(y), self.b(y)], dim=1)  # N × 16 × 8 × 8" in found


@pytest.mark.parametrize(("padding", "least"), [(0, 7), (1, 5), (2, 3)])
def test_the_least_input_counts_the_padding(padding: int, least: int) -> None:
    conv = f"{{op: conv2d, out_channels: 8, kernel_size: 7, padding: {padding}}}"
    with pytest.raises(SpecError, match=f"the input must be at least {least} here"):
        archspec.compile(f"name: n\ninput: [3, 2, 2]\nlayers:\n- c: {conv}\n")


LOOP = """
name: loop
input: [4, 8, 8]
blocks:
  Loop:
    params: {count: 3}
    layers:
    - {op: tanh, as: start}
    - repeat: =count
      index: i
      layers:
      - conv{i}: {op: conv2d, out_channels: 4, kernel_size: 1, as: y}
      - {op: add, from: [y, READ], as: total}
layers:
- a: {block: Loop}
- b: {block: Loop, count: LAST}
"""


@pytest.mark.parametrize(
    ("read", "last", "looped"), [("input", 5, True), ("input", 1, True), ("start", 5, False), ("start", 1, False)]
)
def test_a_loop_reads_in_each_round_what_is_before_it(read: str, last: int, looped: bool) -> None:
    """Unless the loop replaces that value by its rounds' own."""
    text = archspec.codegen(LOOP.replace("READ", read).replace("LAST", str(last)))
    assert ("for layer in" in text) is looped, text


LONG = """
name: long
input: [3, 8, 8]
blocks:
  Wide:
    params: {first: null, second: null, third: null}
    layers:
    - conv:
        op: conv2d
        out_channels: "=first * second * third + first * second // 4 + second * third // 4 + third * first // 4 + first"
        kernel_size: 1
    - {op: relu}
layers:
- a: {block: Wide, first: 8, second: 9, third: 10}
- b: {block: Wide, first: 9, second: 10, third: 11}
"""


BROKEN = """            in_channels,
            first_of_all_the_widths * second * third
            + first_of_all_the_widths * second // 4
"""


def test_a_long_expression_has_an_operand_on_each_line() -> None:
    text = archspec.codegen(LONG.replace("first", "first_of_all_the_widths"))
    assert BROKEN in text
    assert max(map(len, text.splitlines())) <= 120


def test_a_single_long_argument_has_a_line_and_a_comma() -> None:
    """As ruff would write it."""
    name = "widths_of_all_the_layers_of_the_network"
    items = f"- c{{i}}: {{op: conv2d, out_channels: '={name}[i]', kernel_size: 1, repeat: 9, index: i}}\n"
    params = f"params: {{{name}: [1, 2, 3, 4, 5, 6, 7, 8, 9]}}\n"
    text = archspec.codegen(f"name: a_network_with_a_rather_long_name\ninput: [3, 8, 8]\n{params}layers:\n{items}")
    assert f"name(\n    {name}: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 9),\n) -> A" in text


TUPLES = """
name: tuples
input: [3, 8, 8]
params: {aa: [1, 2, 3], bb: [1, 2, 3, 4]}
layers:
- a{i}: {op: conv2d, out_channels: "=aa[i]", kernel_size: 1, repeat: 3, index: i}
- b{i}: {op: conv2d, out_channels: "=bb[i]", kernel_size: 1, repeat: 4, index: i}
"""


def test_the_types_of_long_tuples_are_written_once() -> None:
    assert "aa: tuple[int, int, int] = (1, 2, 3), bb: tuple[int, ...] = (1, 2, 3, 4)" in archspec.codegen(TUPLES)


@pytest.mark.parametrize(("name", "classes"), [("dpn68", 5), ("hrnet_w18_small", 7)])
def test_the_uses_of_a_block_are_one_class(name: str, classes: int) -> None:
    """Though they have other items, other numbers of functions, and other numbers of inputs."""
    text = archspec.codegen(EXAMPLES / f"{name}.yaml")
    assert text.count("\nclass ") == classes
    if name == "hrnet_w18_small":
        assert "for layer, x in zip(self.children(), maps, strict=True):" in text
        assert '"fuse_layers": nn.ModuleList([FuseLayer((16, 32, 64), i) for i in range(3)]),' in text
    else:
        assert "residual = path[:, : self.width]" in text
