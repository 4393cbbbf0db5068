"""Parameters that are ops with arguments: code generation, import, overrides and output."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import archspec
from archspec.backends.python.validator.validate import validate
from archspec.diagnostics.diagnostic import ValidationError
from archspec.ops.base import Op
from archspec.passes import pipeline

SPEC = Path(__file__).parent / "fixtures" / "networks" / "op_with_arguments_of_a_parameter.yaml"

TWO = """
name: net
input: [3, 8, 8]
blocks:
  Unit:
    params: {activation: {op: leaky_relu, negative_slope: 0.25}}
    layers:
    - conv: {op: conv2d, out_channels: 4, kernel_size: 1}
    - act: {op: =activation}
layers:
- one: {block: Unit}
- two: {block: Unit, activation: {op: elu, alpha: 0.5}}
- three: {block: Unit, activation: silu}
"""


def test_the_file_says_partial() -> None:
    code = archspec.codegen(TWO)
    assert "from functools import partial" in code
    assert "activation: Callable[..., nn.Module] = partial(nn.LeakyReLU, negative_slope=0.25)" in code
    assert "Unit(4, activation=partial(nn.ELU, alpha=0.5))" in code
    assert "Unit(4, activation=nn.SiLU)" in code


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("negative_slope=0.25", "negative_slope=0.5"),
        ("negative_slope=0.25", "negative_slope=0.25, inplace=True"),
        ("partial(nn.ELU, alpha=0.5)", "nn.ELU"),
        ("partial(nn.ELU, alpha=0.5)", "partial(nn.CELU, alpha=0.5)"),
        ("partial(nn.ELU, alpha=0.5)", "partial(nn.Sequential, alpha=0.5)"),
        ("partial(nn.ELU, alpha=0.5)", "partial(nn.init.zeros_)"),
        ("activation(inplace=True)", "activation(negative_slope=0.25, inplace=True)"),
        ("from functools import partial\n", ""),
    ],
)
def test_a_file_that_says_something_else_is_refused(before: str, after: str) -> None:
    graph, code = pipeline.compile_with_expressions(TWO), archspec.codegen(TWO)
    assert before in code
    with pytest.raises(ValidationError):
        validate(code.replace(before, after), graph, lambda changed: pipeline.with_parameters(graph, changed))


def test_overrides() -> None:
    spec = archspec.load(SPEC, act={"op": "elu", "alpha": 2})
    model = archspec.build(spec)
    assert [model.get_submodule(f"four.{name}").alpha for name in ("act", "last")] == [2.0, 2.0]
    assert archspec.compile(archspec.expand(spec)) == archspec.compile(spec)
    with pytest.raises(archspec.SpecError, match="expected a number, got 'x'"):
        archspec.load(SPEC, act={"op": "elu", "alpha": "x"})


def test_of_an_op_of_ones_own() -> None:
    class Slope(Op):
        kind = "slope"
        elementwise = True
        module = "nn.LeakyReLU"
        negative_slope: float = 0.01

    text = TWO.replace("leaky_relu", "slope")
    with pytest.raises(archspec.SpecError, match="unknown op 'slope'"):
        archspec.load(text)
    found = archspec.build(archspec.load(text, ops=[Slope])).get_submodule("one.act")
    assert isinstance(found, nn.LeakyReLU)
    assert found(torch.tensor(-1.0)) == -0.25
