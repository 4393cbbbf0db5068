"""`archspec verify`: equality is reported, differences are found and located, and all state is restored."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from command import fine, run
from oracle import models
from torch import Tensor, nn

import archspec
from archspec.cli.options import with_comparison
from archspec.verification import first_difference, generated, randomise, runtime_checks
from archspec.verification.differences import difference
from archspec.verification.report import Check, Report
from archspec.verification.skippable import SKIPPABLE
from archspec.verification.verify import STEPS, Options
from archspec.verification.verify import verify as compare

SMALL = """\
name: small
input: [3, 12, 12]
layers:
- conv1: {op: conv2d, out_channels: 8, kernel_size: 3, padding: 1, bias: false}
- bn1: {op: batch_norm2d}
- {op: relu, as: stem}
- left: {op: conv2d, out_channels: 6, kernel_size: 3, padding: 2, dilation: 2, from: stem}
- right: {op: conv2d, out_channels: 6, kernel_size: 3, padding: 1, from: stem}
- {op: cat, from: [left, right]}
- bn2: {op: batch_norm2d}
- {op: relu}
- pool: {op: adaptive_avg_pool2d, output_size: 2}
- {op: flatten}
- drop: {op: dropout, p: 0.5}
- fc: {op: linear, out_features: 5}
init:
- {op: conv2d, weight: {kaiming_normal: {mode: fan_out, nonlinearity: relu}}}
"""


class Net(nn.Module):
    """The network of SMALL by hand, with other names and with one deliberate change, if asked for."""

    def __init__(self, change: str = "", names: str = "body branch1 branch2 norm head") -> None:
        super().__init__()
        self.change = change
        self.names = names.split()
        body, branch1, branch2, norm, head = self.names
        mode: Any = "circular" if change == "padding_mode" else "zeros"
        bias = change == "bias"
        dilation = 1 if change == "dilation" else 2
        self.add_module(body, nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=bias, padding_mode=mode),
            nn.BatchNorm2d(8, eps=1e-3 if change == "eps" else 1e-5, momentum=0.2 if change == "momentum" else 0.1),
        ))  # fmt: skip
        self.add_module(branch1, nn.Conv2d(8, 6, 3, padding=dilation, dilation=dilation))
        self.add_module(branch2, nn.Conv2d(8, 6, 3, padding=1))
        self.add_module(norm, nn.BatchNorm2d(12, affine=change != "missing"))
        self.drop = nn.Dropout(0.4 if change == "dropout" else 0.5)
        self.add_module(head, nn.Linear(48, 5 if change != "width" else 7))
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and change != "init":
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Any:
        body, branch1, branch2, norm, head = (getattr(self, name) for name in self.names)
        x = body(x)
        stem = F.gelu(x) if self.change == "gelu" else F.relu(x)
        branches = [branch1(stem), branch2(stem)]
        x = norm(torch.cat(branches[::-1] if self.change == "swapped" else branches, 1))
        x = F.adaptive_max_pool2d(x, 2) if self.change == "pool" else F.adaptive_avg_pool2d(F.relu(x), 2)
        if self.change == "detached":
            x = x.detach()
        found = head(self.drop(torch.flatten(x, 1)))
        return found * 1.5 if self.change == "scaled" else found


def names(report: Report, ok: bool | None) -> list[str]:
    """The checks that have a result."""
    return [check.name for check in report.checks if check.ok is ok]


def detail(report: Report, name: str) -> str:
    (found,) = (check.detail for check in report.checks if check.name == name)
    return found


# -- what is equal ----------------------------------------------------------------------------------------------

RUN = ["equal weights", "outputs in evaluation", "outputs in training", "running statistics",
       "gradient of the input", "gradients of the parameters"]  # fmt: skip
EVALUATION = "outputs in evaluation"
STATE = ["state_dict keys", "order of keys", "shapes and types", "initial weights"]
ALL = ["generated file", "inferred shapes", *STATE, *RUN]


@pytest.mark.parametrize(
    ("source", "overrides"),
    [
        (SMALL, {}),
        ("resnet18", {"input": [3, 33, 33]}),
        ("googlenet", {"input": [3, 32, 32]}),
        ("densenet121", {"input": [3, 32, 32]}),
        ("convnext_tiny", {"input": [3, 32, 32], "num_classes": 7}),
        ("mobilenet_v3_small", {"input": [3, 32, 32]}),
        ("shufflenet_v2_x0_5", {"input": [3, 32, 32]}),
    ],
)
def test_generated_files_are_equal(source: str, overrides: dict[str, Any]) -> None:
    report = archspec.verify(source, **overrides)
    assert report.ok, str(report)
    assert names(report, True) == ALL
    assert (report.batch, report.seed) == (2, 0)
    assert report.input_shape == tuple(overrides.get("input", [3, 12, 12]))


def test_named_outputs_are_all_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    report = archspec.verify("googlenet", input=[3, 32, 32], skip="gradients")
    fields = [f"GoogLeNetOutputs.{field} 2×1000" for field in ("logits", "aux_logits2", "aux_logits1")]
    assert detail(report, "outputs in training") == f"{', '.join(fields)}, equal"
    assert names(report, None) == ["gradient of the input", "gradients of the parameters"]
    assert report.ok
    text = archspec.codegen("googlenet", input=[3, 32, 32])
    monkeypatch.setattr(generated, "write", lambda spec: text.replace("GoogLeNetOutputs", "Others"))
    report = archspec.verify("googlenet", input=[3, 32, 32])
    assert "; and Others.logits 2×1000, Others.aux_logits2" in detail(report, "outputs in training")
    assert names(report, False) == ["outputs in training"]


def test_torchvisions_by_name() -> None:
    text = fine("verify", "resnet18", "--input", "3x33x33", "--num-classes", "5", "--batch", "3", "--seed", "4",
                "--against", "torchvision.models:resnet18", "--against-args", "num_classes=5")  # fmt: skip
    assert text == (
        "resnet18: the built module and torchvision.models:resnet18, input 3×3×33×33, seed 4\n"
        "✓ inferred shapes: 52 layers, all as observed\n"
        "✓ state_dict keys: 122, all equal\n"
        "✓ order of keys: equal\n"
        "✓ shapes and types: equal\n"
        "✓ initial weights: 122, all equal for seed 4\n"
        "✓ equal weights: 122 set to the same random numbers\n"
        "✓ outputs in evaluation: 3×5, equal\n"
        "✓ outputs in training: 3×5, equal\n"
        "✓ running statistics: 60, equal\n"
        "✓ gradient of the input: equal\n"
        "✓ gradients of the parameters: 62, equal\n"
    )


def test_other_names_are_reported_and_are_no_difference() -> None:
    report = archspec.verify(SMALL, Net)
    assert report.ok, str(report)
    assert detail(report, "state_dict keys").splitlines() == [
        "17, of which 17 have other names",
        "conv1.weight is body.0.weight in Net",
        "bn1.weight is body.1.weight in Net",
        "bn1.bias is body.1.bias in Net",
        "bn1.running_mean is body.1.running_mean in Net",
        "bn1.running_var is body.1.running_var in Net",
        "… and 12 more",
    ]


@pytest.mark.parametrize("against", [Net, lambda change: Net(change), Net("")], ids=["class", "function", "module"])
def test_what_against_may_be(against: Any) -> None:
    arguments = {} if isinstance(against, nn.Module) else {"change": ""}
    report = archspec.verify(SMALL, against, against_args=arguments)
    assert report.ok, str(report)
    assert names(report, None) == (["initial weights"] if isinstance(against, nn.Module) else [])


# -- what differs -----------------------------------------------------------------------------------------------

DIFFERENT = {
    "dilation": ("outputs in evaluation", ["first difference in 'left' ('branch1' in Net): with equal inputs, they",
                                           "Conv2d(8, 6, kernel_size=(3, 3), stride=(1, 1), padding=(2, 2), dilation"
                                           "=(2, 2))\nConv2d(8, 6, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))"
                                           " in Net"]),
    "padding_mode": ("outputs in evaluation", ["first difference in 'conv1' ('body.0' in Net): with equal inputs",
                                               "padding_mode=circular) in Net"]),
    "eps": ("outputs in evaluation", ["first difference in 'bn1' ('body.1' in Net): with equal inputs",
                                      "eps=0.001, momentum=0.1"]),
    "gelu": ("outputs in evaluation", ["first difference before 'left' ('branch1' in Net), after 'bn1' ('body.1' in N",
                                       "\nfor its inputs, they differ by up to"]),
    "swapped": ("outputs in evaluation", ["first difference before 'bn2' ('norm' in Net), after 'right' ('branch2' in",
                                          "\nthey are the same numbers in another order"]),
    "pool": ("outputs in evaluation", ["first difference before 'drop', after 'bn2' ('norm' in Net)\nfor its inputs,",
                                       "\ndirectly before it runs 'pool' AdaptiveAvgPool2d(output_size=2)"]),
    "scaled": ("outputs in evaluation", ["all submodules have equal outputs: the difference arises after 'fc' ('head"]),
    "dropout": ("outputs in training", ["first difference in 'drop': with equal inputs, they differ",
                                        "Dropout(p=0.5, inplace=False)\nDropout(p=0.4, inplace=False) in Net"]),
    "momentum": ("running statistics", ["2 of 6 differ after training\nbn1.running_mean (body.1.running_mean in Net): ",
                                        "momentum=0.2"]),
    "init": ("initial weights", ["for seed 0\nconv1.weight: mean ", ", standard deviation 0.1"]),
    "detached": ("gradient of the input", ["2×3×12×12 and None"]),
}  # fmt: skip
"""The first check that finds an error, and words of its message."""


@pytest.mark.parametrize("change", DIFFERENT)
def test_a_difference_is_found_and_located(change: str) -> None:
    first, said = DIFFERENT[change]
    report = archspec.verify(SMALL, Net, against_args={"change": change})
    assert not report.ok
    assert names(report, False)[0] == first, str(report)
    for words in said:
        assert words in detail(report, first), str(report)


def test_names_that_mean_something_else_are_not_paired() -> None:
    """Our `pool` has no weights, theirs is a convolution; our `right` is their `left`."""
    arguments = {"change": "scaled", "names": "body pool left norm head"}
    report = archspec.verify(SMALL, Net, against_args=arguments)
    assert "\nall submodules have equal outputs: the difference arises after 'fc'" in detail(report, EVALUATION)
    report = archspec.verify(SMALL, Net, against_args={**arguments, "change": "dilation"})
    assert "\nfirst difference in 'left' ('pool' in Net): with equal inputs" in detail(report, EVALUATION)


def test_what_follows_from_a_difference_is_not_compared() -> None:
    report = archspec.verify(SMALL, Net, against_args={"change": "gelu"})
    assert names(report, False) == ["outputs in evaluation", "outputs in training"]
    assert names(report, None) == ["running statistics", "gradient of the input", "gradients of the parameters"]


def test_gradients_are_compared_one_by_one() -> None:
    report = archspec.verify(SMALL, Net, against_args={"change": "detached"})
    assert detail(report, "gradients of the parameters").splitlines() == [
        "9 of 11 differ",
        "conv1.weight (body.0.weight in Net): 8×3×3×3 and None",
        "bn1.weight (body.1.weight in Net): 8 and None",
        "bn1.bias (body.1.bias in Net): 8 and None",
        "left.weight (branch1.weight in Net): 6×8×3×3 and None",
        "left.bias (branch1.bias in Net): 6 and None",
        "… and 4 more",
    ]


@pytest.mark.parametrize(
    ("change", "check", "lines"),
    [
        ("missing", "state_dict keys", ["17, Net has 15", "not in Net: bn2.weight (parameter 12)",
                                        "not in Net: bn2.bias (parameter 12)"]),
        ("bias", "state_dict keys", ["17, Net has 18", "only in Net: body.0.bias (parameter 8)"]),
        ("width", "shapes and types", ["2 differ", "fc.weight (parameter 5×48), in Net head.weight (parameter 7×48)",
                                       "fc.bias (parameter 5), in Net head.bias (parameter 7)"]),
    ],
)  # fmt: skip
def test_other_counts_and_shapes_are_reported(change: str, check: str, lines: list[str]) -> None:
    report = archspec.verify(SMALL, Net, against_args={"change": change})
    assert names(report, False) == [check]
    assert detail(report, check).splitlines() == lines
    assert [name for name in names(report, None) if name in RUN] == RUN


def test_names_tell_what_is_missing_where_they_agree() -> None:
    def without_bias() -> nn.Module:
        model = models.resnet18()
        model.fc = nn.Linear(512, 1000, bias=False)
        model.head = nn.Linear(2, 2)
        return model  # type: ignore[no-any-return]

    report = archspec.verify("resnet18", without_bias, input=[3, 33, 33])
    assert detail(report, "state_dict keys").splitlines()[1:] == [
        f"not in {without_bias.__qualname__}: fc.bias (parameter 1000)",
        f"only in {without_bias.__qualname__}: head.weight (parameter 2×2)",
        f"only in {without_bias.__qualname__}: head.bias (parameter 2)",
    ]


class Twice(nn.Module):
    """Two linear layers of one shape, in one of several ways."""

    a: Any
    b: Any

    def __init__(self, way: str = "") -> None:
        super().__init__()
        self.way = way
        for name in ("b", "a") if way == "reordered" else ("a", "b"):
            self.add_module(name, nn.Linear(4, 4))
        if way == "tied":
            self.b.weight = self.a.weight
        if way == "buffer":
            weight = self.a.weight.detach()
            del self.a.weight
            self.a.register_buffer("weight", weight)
        if way == "double":
            self.double()

    def forward(self, x: Tensor) -> Any:
        if self.way == "raises":
            raise ValueError("bad\nnews\x1b[2J")
        if self.way == "once":
            return self.a(x)
        if self.way == "again":
            return self.b(self.a(self.a(x)))
        found = self.b(self.a(x))
        ways: dict[str, Callable[[Tensor], Any]] = {
            "tuple": lambda found: (found, found), "dict": lambda found: {"out": found}, "none": lambda found: None,
            "shape": lambda found: found[:, :3], "infinite": lambda found: found / 0,
            "rounded": lambda found: found * (1 + 1e-6), "wide": lambda found: found.double(),
        }  # fmt: skip
        if self.way == "drifts" and not self.training:
            with torch.no_grad():
                self.a.bias.add_(1.0)
            return found * 2
        return ways[self.way](found) if self.way in ways else found


TWICE = """\
name: twice
input: [4]
layers:
- a: {op: linear, out_features: 4}
- b: {op: linear, out_features: 4}
"""


@pytest.mark.parametrize(
    ("way", "check", "said"),
    [
        (
            "reordered",
            "order of keys",
            "4 at other places\nplace 1: a.weight, in Twice b.weight\nplace 2: a.bias, in T",
        ),
        ("tied", "equal weights", "tensors are shared in one module and not in the other\na.weight"),
        ("double", "shapes and types", "4 differ\na.weight (parameter 4×4), in Twice a.weight (parameter 4×4 float64)"),
        ("raises", "outputs in evaluation", "Twice raises ValueError: bad news\\u{1b}[2J\nfor an input 2×4"),
        ("once", "outputs in evaluation", "first difference after 'a': 'b' does not run in Twice"),
        ("again", "outputs in evaluation", "first difference before 'b', after 'a'\nfor its inputs, they differ"),
        (
            "tuple",
            "outputs in evaluation",
            "2×4; and [0] 2×4, [1] 2×4\nall submodules have equal outputs: the difference",
        ),
        ("none", "outputs in evaluation", "2×4 and None\nall submodules"),
        ("shape", "outputs in evaluation", "shapes 2×4 and 2×3\nall submodules"),
        ("rounded", "outputs in evaluation", "they differ by up to "),
        ("wide", "outputs in evaluation", "types torch.float32 and torch.float64\nall submodules"),
        ("drifts", "outputs in evaluation", "\nall submodules have equal outputs: the difference arises after 'b'"),
    ],
)
def test_other_ways_to_differ(way: str, check: str, said: str) -> None:
    report = archspec.verify(TWICE, Twice, against_args={"way": way}, skip="initial-weights")
    assert names(report, False)[0] == check, str(report)
    assert said in detail(report, check), str(report)


def test_modules_that_are_looked_at_as_a_whole() -> None:
    """torch's attention runs what its submodules hold without calling them."""
    whole: tuple[nn.Module, ...] = (nn.ReLU(), nn.MultiheadAttention(4, 2), nn.Sequential())
    others: tuple[nn.Module, ...] = (nn.Sequential(nn.ReLU()), nn.ModuleList([nn.ReLU()]), Twice())
    assert all(map(first_difference.is_leaf, whole))
    assert not any(map(first_difference.is_leaf, others))


def test_runs_of_a_shared_submodule_are_told_apart() -> None:
    class Shared(Twice):
        def forward(self, x: Tensor) -> Any:
            return self.b(F.gelu(self.b(self.a(x))))

    report = archspec.verify(f"{TWICE}- {{op: relu}}\n- call: b\n", Shared)
    assert "\nfirst difference before 'b', run 2, after 'b'\nfor its inputs, they differ" in detail(report, EVALUATION)


def test_each_pass_begins_with_equal_weights() -> None:
    """Even where a module changes its own in evaluation."""
    report = archspec.verify(TWICE, Twice, against_args={"way": "drifts"})
    assert names(report, False) == ["outputs in evaluation"]


def test_weights_are_random_and_equal() -> None:
    def changed(seed: int) -> tuple[nn.Module, nn.Module]:
        ours, theirs = Net(), Net()
        keys = [(key, key) for key in ours.state_dict()]
        assert randomise.set_equal(ours, theirs, keys, seed) == []
        return ours, theirs

    (ours, theirs), (other, _) = changed(0), changed(1)
    for key, tensor in ours.state_dict().items():
        assert torch.equal(tensor, theirs.state_dict()[key])
        if tensor.is_floating_point():
            assert tensor.std() > 0.01, key
            assert not torch.equal(tensor, other.state_dict()[key]), key
        assert "running_var" not in key or tensor.min() > 0.4


POWERS = """
name: powers
input: [2, 4, 4]
layers:
- repeat: 9
  index: i
  layers:
  - conv{i}: {op: conv2d, out_channels: 2, kernel_size: 1}
  - {op: mul, from: ["conv{i}", "conv{i}"]}
"""


class Powers(nn.Module):
    """The same, or with a last convolution that is not run."""

    def __init__(self, runs: int = 9) -> None:
        super().__init__()
        for i in range(9):
            self.add_module(f"conv{i}", nn.Conv2d(2, 2, 1))
        self.runs = runs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for i in range(self.runs):
            x = getattr(self, f"conv{i}")(x).square()
        return x


def test_weights_are_smaller_where_outputs_overflow() -> None:
    """Outputs that are infinite would prove nothing."""
    built = archspec.build(POWERS)
    pairs = [(key, key) for key in built.state_dict()]
    randomise.set_equal(built, Powers(), pairs, 0)
    assert not built(torch.randn(2, 2, 4, 4)).isfinite().all()
    report = archspec.verify(POWERS, Powers)
    assert report.ok, report
    assert names(archspec.verify(POWERS, Powers, against_args={"runs": 8}), False)[:1] == [EVALUATION]


def test_a_constant_buffer_is_compared_and_never_set() -> None:
    ours: Any = nn.Module()
    theirs: Any = nn.Module()
    for module, value in ((ours, 1), (theirs, 2)):
        module.register_buffer("index", torch.tensor([value]))
    assert randomise.set_equal(ours, theirs, [("index", "index")], 0) == []
    assert (ours.index, theirs.index) == (1, 2)


def test_tolerance_is_relative() -> None:
    large, small = torch.tensor([1000.0, 2.0]), torch.tensor([0.001])
    assert difference(large, torch.tensor([1000.5, 2.0]), 1e-3) == ""
    assert difference(small, torch.tensor([0.0015]), 1e-3) == "they differ by up to 0.0005, where the largest is 0.001"
    nan = torch.tensor([float("nan"), 1.0])
    assert difference(nan, nan.clone()) == ""
    assert difference(nan, torch.tensor([0.0, 1.0]), 0.1).startswith("they differ by up to nan")


def test_a_buffer_is_no_parameter() -> None:
    report = archspec.verify(TWICE, Twice, against_args={"way": "buffer"}, skip="initial-weights")
    assert not report.ok
    assert "a.weight (parameter 4×4)" in str(report)


def test_what_holds_the_output_may_differ_where_the_values_agree() -> None:
    assert archspec.verify(TWICE, Twice, against_args={"way": "dict"}).ok


def test_tolerance() -> None:
    assert archspec.verify(TWICE, Twice, against_args={"way": "rounded"}, tolerance=1e-5).ok
    assert not archspec.verify(TWICE, Twice, against_args={"way": "rounded"}, tolerance=1e-8).ok


def test_equality_that_proves_nothing_is_no_proof() -> None:
    """Both give the same, but all of it is zero."""
    dead = TWICE + "- {op: relu}\n- {op: sub, from: [b, b]}\n"

    class Dead(Twice):
        def forward(self, x: Tensor) -> Any:
            found = self.b(self.a(x))
            return found - found

    report = archspec.verify(dead, Dead)
    assert detail(report, "outputs in evaluation").startswith("equal, but every number in them is the same")
    assert not report.ok


# -- a generated file that is wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "check", "said"),
    [
        ("dilation=2", "dilation=2, padding_mode='reflect'", "outputs in evaluation", "first difference in 'left'"),
        ("[self.left(stem), self.right(stem)]", "[self.right(stem), self.left(stem)]", "outputs in evaluation",
         "first difference before 'bn2', after 'right'"),
        ("nn.Dropout()", "nn.Dropout(0.4)", "outputs in training", "first difference in 'drop'"),
        ("self.fc", "self.head", "state_dict keys", "17, the generated file has 17\nnot in the generated file: fc."),
        ("nn.BatchNorm2d(12)", "nn.BatchNorm2d(12, momentum=0.2)", "running statistics", "bn2.running_mean"),
        ("fan_out", "fan_in", "initial weights", "3 of 17 differ for seed 0\nconv1.weight"),
        ("self.fc(x)", "self.fc(x), x", "outputs in evaluation", "2×5; and [0] 2×5, [1] 2×48"),
        ("self.fc(x)", "(self.fc(x),)", "outputs in evaluation", "2×5; and [0] 2×5"),
        ("nn.Linear(48", "nn.Linear(47", "shapes and types", "fc.weight (parameter 5×48), in the generated file fc.we"),
        ("nn.Linear(48", "nn.Linaer(48", "generated file", "raises AttributeError: module 'torch.nn' has no attribute"),
        ("torch.flatten(x, 1)", "torch.flatten(y, 1)", "outputs in evaluation", "the generated file raises NameError"),
        ("x = self.pool(x)", "x = self.pool(x).detach()", "gradient of the input", "2×3×12×12 and None"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_found(old: str, new: str, check: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = archspec.codegen(SMALL)
    assert old in text
    monkeypatch.setattr(generated, "write", lambda spec: text.replace(old, new))
    report = archspec.verify(SMALL)
    assert names(report, False)[0] == check, str(report)
    assert said in detail(report, check), str(report)


def test_a_file_that_cannot_be_written_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(spec: Any) -> str:
        raise KeyError("b1")

    monkeypatch.setattr(generated, "write", write)
    report = archspec.verify(SMALL)
    assert [str(check) for check in report.checks] == [
        "✗ generated file: raises KeyError: 'b1'; nothing else was compared"
    ]


def test_a_shape_that_is_not_as_inferred_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from archspec.backends.torch.build import Mismatch
    from archspec.verification import verify

    monkeypatch.setattr(verify, "check_shapes", lambda *_: [Mismatch("conv1", "8×12×12", "8×10×10")])
    report = archspec.verify(SMALL)
    assert names(report, False) == ["inferred shapes"]
    assert detail(report, "inferred shapes") == "1 differ\nconv1: inferred 8×12×12, observed 8×10×10"


# -- what is left as it was -------------------------------------------------------------------------------------


def test_everything_is_left_as_it_was() -> None:
    module: Any = Net("gelu")  # outputs differ, so hooks are used, too
    module.body[1].eval()
    module.head.weight.requires_grad_(False)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    torch.manual_seed(123)
    expected = torch.rand(3)
    torch.manual_seed(123)
    path, threads = list(sys.path), torch.get_num_threads()
    with torch.no_grad():
        assert not archspec.verify(SMALL, module).ok
        assert not torch.is_grad_enabled()
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert [part.training for part in module.modules()] == [True, True, True, False, *[True] * 5]
    assert [name for name, p in module.named_parameters() if not p.requires_grad] == ["head.weight"]
    assert all(parameter.grad is None for parameter in module.parameters())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
    assert (sys.path, torch.get_num_threads()) == (path, threads)


@pytest.mark.parametrize("mode", [torch.inference_mode, lambda: torch.device("meta")], ids=["inference", "meta"])
def test_what_is_around_it_does_not_matter(mode: Callable[[], Any]) -> None:
    with mode():
        assert archspec.verify(TWICE).ok
        assert archspec.verify(TWICE, Twice).ok


def test_a_module_made_in_inference_mode_cannot_be_set() -> None:
    with torch.inference_mode():
        module = Twice()
    with pytest.raises(archspec.SpecError, match="its tensors were created in inference mode and cannot be set"):
        archspec.verify(TWICE, module)


def test_two_reports_are_equal() -> None:
    assert archspec.verify(SMALL, Net) == archspec.verify(SMALL, Net)
    assert archspec.verify(SMALL, seed=1).ok


def test_frozen_parameters_are_compared() -> None:
    module = Net("detached").requires_grad_(False)
    assert "9 of 11 differ" in detail(archspec.verify(SMALL, module), "gradients of the parameters")


def test_the_bar_knows_its_length() -> None:
    steps: list[str] = []
    assert compare(SMALL, Options(), {}, steps.append).ok
    assert len(steps) == STEPS


# -- the command ------------------------------------------------------------------------------------------------

MINE = """\
import torch
from torch import nn

class Broken(nn.Module):
    def __init__(self, size):
        super().__init__()
        raise ValueError(f"no size {size}")

class Other(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 4)
    def forward(self, x):
        return torch.relu(self.b(self.a(x)))

ready = Other()
number = 3

def text():
    return "text"

def lazy():
    return nn.LazyLinear(3)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to work in, with a spec and modules of the user's."""
    monkeypatch.chdir(tmp_path)
    Path("twice.yaml").write_text(TWICE, encoding="utf-8")
    Path("mine_for_verify.py").write_text(MINE, encoding="utf-8")
    Path("broken_for_verify.py").write_text("import no_such_package\n", encoding="utf-8")
    Path("script_for_verify.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    yield tmp_path
    for name in [name for name in sys.modules if name.endswith("_for_verify")]:
        del sys.modules[name]


AGAINST = [
    ("no_such_module:Net", [], "no module named 'no_such_module' (the current directory and the installed packages are "
                               "searched)"),
    ("torch.no_such:Net", [], "no module named 'torch.no_such' (the current directory and the installed packages are "
                              "searched)"),
    ("broken_for_verify:Net", [], "importing 'broken_for_verify' raised ModuleNotFoundError: No module named "
                                  "'no_such_package'"),
    ("script_for_verify:Net", [], "importing 'script_for_verify' raised SystemExit: 3"),
    ("mine_for_verify:Othr", [], "module 'mine_for_verify' has no attribute 'Othr' (did you mean 'Other'?)"),
    ("mine_for_verify:Other.make.it", [], "'Other' has no attribute 'make'"),
    ("mine_for_verify", [], "expected package.module:name (for example torchvision.models:resnet18)"),
    ("mine_for_verify:number", [], "expected a torch.nn.Module, or a function or class that returns one, got a value "
                                   "of type int"),
    ("mine_for_verify:text", [], "calling it returned a value of type str, not a torch.nn.Module"),
    ("mine_for_verify:lazy", [], "it has lazy parameters (run one batch through it first)"),
    ("mine_for_verify:ready", ["--against-args", "size=3"], "it is a module, which takes no arguments"),
    ("mine_for_verify:Broken", ["--against-args", "size=[3, x]"], "calling it raised ValueError: no size [3, 'x']"),
]  # fmt: skip


@pytest.mark.parametrize(("against", "options", "message"), AGAINST, ids=[case[0] for case in AGAINST])
def test_errors_in_against(against: str, options: list[str], message: str, folder: Path) -> None:
    result = run("verify", "twice.yaml", "--against", against, *options)
    assert result.exit_code == 2
    usage = "Usage: archspec verify [OPTIONS] SPEC\nTry 'archspec verify --help' for help.\n"
    assert result.stderr == f"{usage}\nError: Invalid value for '--against': {against}: {message}\n"
    with pytest.raises(archspec.SpecError, match=re.escape(message.partition(" (")[0])):
        archspec.verify(TWICE, against, against_args={"size": [3, "x"]} if options else None)
    assert str(folder) not in sys.path


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--against-args", "a=1"], 2, "Error: --against-args needs --against\n"),
        (["--against", "m:N", "--against-args", "a"], 2,
         "Error: Invalid value for '--against-args': 'a' is not K=V: expected the name of an argument and its value, "
         "like num_classes=5"),
        (["--against", "m:N", "--against-args", "a=1", "--against-args", "a=2"], 2, "Error: 'a' is given twice\n"),
        (["--against", "m:N", "--against-args", "a=[1"], 1, "error[syntax]: --against-args a:1:3: expected ',' or ']'"),
        (["--batch", "0"], 2, "Error: Invalid value for '--batch': 0 is not in the range x>=1.\n"),
        (["--tolerance", "1"], 2, "Error: Invalid value for '--tolerance': 1.0 is not in the range 0<=x<1.\n"),
        (["--skip", "outputs"], 2, "Error: Invalid value for '--skip': 'outputs' is not one of 'initial-weights', "),
        (["--set", "widht=3"], 1, "error[usage]: "),
        (["--batch", "1000000000"], 1, "error[limit]: twice takes about 104.3 GiB of memory"),
        (["--max-params", "10"], 1, "error[limit]: twice holds 40 numbers (160 B of float32)"),
    ],
)  # fmt: skip
def test_errors_in_options(options: list[str], code: int, message: str, folder: Path) -> None:
    result = run("verify", "twice.yaml", *options)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr


def test_exit_codes_and_json(folder: Path) -> None:
    assert run("verify", "twice.yaml").exit_code == 0
    result = run("verify", "twice.yaml", "--against", "mine_for_verify:Other", "--format", "json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["name"], found["other"], found["ok"]) == ("twice", "mine_for_verify:Other", False)
    assert (found["seed"], found["batch"], found["input_shape"]) == (0, 2, [4])
    oks = {check["name"]: check["ok"] for check in found["checks"]}
    assert oks["initial weights"] is True
    assert oks["outputs in evaluation"] is False
    assert oks["running statistics"] is None


def test_a_module_at_the_top_of_a_file(folder: Path) -> None:
    result = run("verify", "twice.yaml", "--against", "mine_for_verify:ready")
    assert result.exit_code == 1
    line = "all submodules have equal outputs: the difference arises after 'b'"
    assert f"\n    {line}\n" in result.stdout
    assert "– initial weights: not compared: mine_for_verify:ready was constructed before\n" in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, "batch: expected an integer from 1, got 0"),
        ({"seed": -1}, "seed: expected an integer"),
        ({"tolerance": 2}, "tolerance: expected a number from 0, below 1, got 2"),
        ({"skip": ["initial"]}, "skip: unknown check 'initial'"),
        ({"against_args": {"a": 1}}, "against_args needs against"),
        (
            {"against": 3},
            "expected a torch.nn.Module, or a function or class that returns one, got a value of type int",
        ),
        ({"against": Twice, "against_args": {"b": 1}}, "Twice: calling it raised TypeError: "),
        ({"against": Twice().to("meta")}, "Twice: its tensors are on the meta device, without values"),
        ({"max_params": 3}, "twice holds 40 numbers"),
        ({"max_params": 0}, "max_params: expected an integer from 1, got 0"),
        ({"max_memory": "100"}, "twice takes about 864 B of memory, more than 100 B"),
        ({"max_memory": "all"}, "max_memory: expected bytes or a size such as '64GiB', got 'all'"),
        ({"widht": 3}, "unknown parameter 'widht'"),
    ],
)
def test_errors_in_python(options: dict[str, Any], message: str) -> None:
    with pytest.raises(archspec.SpecError, match=re.escape(message)):
        archspec.verify(TWICE, **options)


def test_options_name_the_checks_that_can_be_skipped() -> None:
    command: Any = with_comparison(lambda: None)
    (skip,) = (option for option in command.__click_params__ if option.name == "skip")
    assert tuple(skip.type.choices) == SKIPPABLE
    report = archspec.verify(SMALL, skip=SKIPPABLE)
    assert names(report, None) == ["initial weights", *runtime_checks.NAMES[2:]]
    assert report.ok


def test_a_report_in_words() -> None:
    checks = (Check("a", True, "1"), Check("b", None, "2"), Check("c", False, "3\nfour\x1b"))
    report = Report("net", "that", 0, 2, (3, 8, 8), checks)
    assert str(report) == (
        "net: the built module and that, input 2×3×8×8, seed 0\n✓ a: 1\n– b: 2\n✗ c: 3\n    four\\u{1b}"
    )
    assert (report.ok, Report("net", "that", 0, 2, (3, 8, 8), checks[:2]).ok) == (False, True)
