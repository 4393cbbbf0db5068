"""The programs of built blocks: text from a spec is a literal in them, and equal blocks share one function."""

from __future__ import annotations

import ast
import linecache
import math
import re
import traceback
from typing import Any

import pytest
import torch
from torch import Tensor

import archspec
from archspec.backends.torch.program import Instruction, Program, runner, source
from archspec.expressions.sizes import Dim

HOSTILE = "x'] or print('broken out') or modules['"


@pytest.mark.parametrize(
    "value",
    [1, True, None, 0.1, 1e-300, -3, "nearest", HOSTILE, [1, 2], (1,), (), [[1.5], (2, "a")], Dim(4, ast.Name("n"))],
)
def test_a_constant_is_a_literal(value: Any) -> None:
    program = Program(
        1, (Instruction(None, "archspec.backends.torch.helpers:collect", (), 0, False, constants=([value],)),), (0,)
    )
    (found,) = runner(program)(torch.nn.Module(), None)
    assert found == value
    assert type(found) is (int if isinstance(value, Dim) else type(value))


def test_no_number_is_too_large() -> None:
    program = Program(
        1,
        (
            Instruction(
                None, "archspec.backends.torch.helpers:collect", (), 0, False, constants=([math.inf, -math.inf],)
            ),
        ),
        (0,),
    )
    assert runner(program)(torch.nn.Module(), None) == (math.inf, -math.inf)


@pytest.mark.parametrize("raw", [False, True])
def test_names_cannot_break_out(raw: bool, capsys: pytest.CaptureFixture[str]) -> None:
    step = Instruction(None, HOSTILE, (), 0, False, raw=True) if raw else Instruction(HOSTILE, "", (0,), 0, False)
    with pytest.raises((KeyError, AttributeError)) as error:
        runner(Program(1, (step,), (0,)))(torch.nn.Module(), None)
    assert HOSTILE in error.value.args[0]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (Instruction(None, "gamma", (), 1, False, raw=True), "v1 = getattr(self, 'gamma')"),
        (Instruction(None, "Tensor.chunk", (0,), 1, False, keywords=(("dim", 1),)), "v1 = v0.chunk(dim=1)"),
        (Instruction(None, "Tensor.permute", (2,), 1, False, constants=(0, 1)), "v1 = v2.permute(0, 1)"),
        (Instruction(None, "torch.cat", (0, 2), 1, False, listed=True, constants=(1,)), "v1 = torch.cat([v0, v2], 1)"),
        (Instruction(None, "operator.getitem", (0,), 1, False, 3), "v1 = v0[3]"),
        (Instruction("0", "", (0, 2), 1, True), "v1 = modules['0'](v0, v2) if self.training else None"),
    ],
)
def test_a_line_for_each_step(step: Instruction, line: str) -> None:
    """A block's own parameter is an attribute, which may be computed; what torch.fx passes has methods of tensors."""
    text = source(Program(1, (step,), (1,)))
    assert text.splitlines()[2:] == [f"    {line}", "    return v1"]


def test_blocks_that_differ_in_channels_share_a_function() -> None:
    net: Any = archspec.build("googlenet")
    assert net.conv1._run is net.conv3._run is net.inception5b.branch1._run
    assert net.inception3a._run is net.inception5b._run is not net.conv1._run


def test_a_traceback_shows_the_layer() -> None:
    net = archspec.build("resnet18")
    with pytest.raises(RuntimeError) as error:
        net(torch.zeros(1, 5, 64, 64))
    linecache.checkcache()
    assert "modules['conv1'](v0)" in "".join(traceback.format_exception(error.value))


def test_a_value_is_freed_when_it_has_been_read_for_the_last_time() -> None:
    """As many registers as a person would use variables, however long the chain."""
    vgg: Any = archspec.build("vgg16_bn")
    resnet: Any = archspec.build("resnet50")
    for block, registers in ((vgg, {"v0"}), (resnet.layer1[0], {"v0", "v1"})):
        assert set(re.findall(r"\bv\d+\b", source(block._program))) == registers


def test_what_runs_in_training_only_is_none_in_evaluation() -> None:
    steps = (Instruction("aux", "", (0,), 1, True),)
    parent = torch.nn.Module()
    parent.aux = torch.nn.Identity()
    run = runner(Program(1, steps, (0, 1)))
    x: Tensor = torch.ones(2)
    assert run(parent.eval(), x) == (x, None)
    assert run(parent.train(), x) == (x, x)
