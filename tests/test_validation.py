"""Translation validation: files that `codegen` writes are accepted, and files of other networks are refused."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
import random
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from exhaustive import first, one_of_each_family
from mutants import Mutant, mutants
from oracle import randomise
from random_networks import network
from torch import Tensor, nn

import archspec
from archspec.backends.python.validator.validate import validate
from archspec.cli.commands import app
from archspec.diagnostics.diagnostic import ValidationError
from archspec.frontend import loader
from archspec.frontend.yaml.writer import dump
from archspec.ir.graph import Graph
from archspec.passes import pipeline
from archspec.passes.features import extract

FIXTURES = Path(__file__).parent / "fixtures" / "networks"

MUTANTS = (30, 120)
"""How many mutants of each file are tried, in the usual run and in the exhaustive one."""

SHIPPED = ("densenet121", "mobilenet_v3_small", "shufflenet_v2_x0_5", "regnet_y_400mf", "googlenet", "convnext_tiny")


class Recompiler:
    """Other values of a network's parameters, compiled once for all mutants of a file, and what was asked for."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.found: dict[str, Graph] = {}
        self.asked: set[str] = set()

    def __call__(self, changed: Mapping[str, Any]) -> Graph:
        key = repr(sorted(changed.items()))
        if key not in self.found:
            self.found[key] = pipeline.with_parameters(self.graph, changed)
        self.asked |= changed.keys()
        return self.found[key]


@cache
def compiled(source: str) -> tuple[str, Graph, Recompiler]:
    graph = pipeline.compile(source)
    return archspec.codegen(source), graph, Recompiler(graph)


# -- what is accepted -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", one_of_each_family(loader.shipped()))
def test_shipped_spec_is_validated_with_other_arguments(name: str) -> None:
    """Every argument that a file offers is given another value, and the network compiles with it."""
    text, graph, recompile = compiled(name)
    validate(text, graph, recompile)
    assert recompile.asked == set(arguments_of(text, graph.name))


@pytest.mark.parametrize("seed", range(60))
def test_random_network_is_validated(seed: int) -> None:
    validate(*compiled(dump(network(seed))))


# -- what is refused ------------------------------------------------------------------------------------------------


def sources_of_mutants() -> list[str]:
    fixtures = (
        "activation_in_place_in_some_instances", "many_modules_under_a_condition", "rounds_by_name", "sum_onto_a_view",
        "rules_over_parameters_and_attributes", "an_output_before_the_last", "whole_value_of_a_parameter",
        "parameters_filled_at_random",
    )  # fmt: skip
    texts = [(FIXTURES / f"{name}.yaml").read_text(encoding="utf-8") for name in fixtures]
    return [*SHIPPED, *texts, *(dump(network(seed)) for seed in (3, 5, 10, 17, 49, 106))]


@pytest.mark.parametrize("number", range(len(sources_of_mutants())))
@pytest.mark.parametrize("count", first(MUTANTS, 1, 2))
def test_mutants_are_refused(number: int, count: int) -> None:
    """A mutant is refused, or torch shows that it is the same network."""
    source = sources_of_mutants()[number]
    text, graph, recompile = compiled(source)
    found = [mutant for mutant in mutants(text) if mutant.text != text]
    wanted = count // 2 if source in SHIPPED else count
    chosen = random.Random(number).sample(found, min(wanted, len(found)))
    accepted = [mutant for mutant in chosen if is_accepted(mutant, graph, recompile)]
    wrong = [mutant.change for mutant in accepted if not is_equivalent(mutant.text, text, graph)]
    assert wrong == []
    assert len(accepted) < len(chosen) / 4, "the mutants say little"


def is_accepted(mutant: Mutant, graph: Graph, recompile: Recompiler) -> bool:
    try:
        validate(mutant.text, graph, recompile)
    except ValidationError:
        return False
    return True


def is_equivalent(left: str, right: str, graph: Graph) -> bool:
    """Whether two texts make the same network: keys, initial weights, outputs, statistics and gradients."""
    try:
        one, other = (seeded(lambda text=text: make(text, graph.name)) for text in (left, right))  # type: ignore[misc]
        return behaviour(one, graph) == behaviour(other, graph)
    except Exception:
        return False


def behaviour(model: nn.Module, graph: Graph) -> list[Any]:
    """All that can be seen of a module, as bytes."""
    found = [(key, tensor.numpy().tobytes()) for key, tensor in model.state_dict().items()]
    found.append(("arguments", repr(model).replace(", inplace=True", "").replace("inplace=True", "")))
    randomise(model)
    for training in (True, False):
        channels, *sizes = graph.input_shape  # the shipped networks of this test take smaller images, too
        x = torch.randn(2, channels, *(min(size, 64) for size in sizes), generator=torch.Generator().manual_seed(1))
        before = x.clone()
        torch.manual_seed(2)
        output = model.train(training)(x)
        tensors = [output] if isinstance(output, Tensor) else list(output)
        torch.stack([tensor.square().mean() for tensor in tensors]).sum().backward()  # type: ignore[no-untyped-call]
        found += [(type(output).__name__, tensor.detach().numpy().tobytes()) for tensor in tensors]
        found.append(("input", torch.equal(x, before)))
    found += [(key, tensor.numpy().tobytes()) for key, tensor in model.state_dict().items()]
    return [*found, *(p.grad.numpy().tobytes() for p in model.parameters() if p.grad is not None)]


WRONG: dict[str, tuple[str, str, str]] = {
    "a repeat that reads the input again": (
        """
name: net
input: [4, 8, 8]
blocks:
  B:
    inputs: [input, total]
    layers:
    - layers:
      - conv{i}: {op: conv2d, out_channels: 4, kernel_size: 3, padding: 1, from: input, as: y}
      - {op: add, from: [total, y], as: total}
      repeat: 3
      index: i
layers:
- c: {op: conv2d, out_channels: 4, kernel_size: 1}
- b: {block: B, from: [c, c]}
""",
        """
class B(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        for i in range(3):
            self.add_module(f"conv{i}", nn.Conv2d(4, 4, kernel_size=3, padding=1))

    def forward(self, x: Tensor, total: Tensor) -> Tensor:
        for layer in self.children():
            x = layer(x)
            x = total + x
        return x


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.c = nn.Conv2d(4, 4, kernel_size=1)
        self.b = B()

    def forward(self, x: Tensor) -> Tensor:
        x = self.c(x)
        return self.b(x, x)
""",
        "the file says self.conv1(total), the network self.conv1(the input)",
    ),
    "rounds of which each takes the input": (
        """
name: net
input: [4, 8, 8]
layers:
- c{i}: {op: conv2d, out_channels: 4, kernel_size: 1, from: input, repeat: 3, index: i}
""",
        """
class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        for i in range(3):
            self.add_module(f"c{i}", nn.Conv2d(4, 4, kernel_size=1))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.children():
            x = layer(x)
        return x
""",
        "the file says self.c1(c0), the network self.c1(the input)",
    ),
    "a width of one that is no argument": (
        """
name: net
input: [1, 6, 6]
params: {width: 1}
layers:
- c: {op: conv2d, out_channels: =width, kernel_size: 1}
- {op: flatten}
- fc: {op: linear, out_features: 5}
""",
        """
class Net(nn.Module):
    def __init__(self, width: int = 1) -> None:
        super().__init__()
        self.c = nn.Conv2d(1, width, kernel_size=1)
        self.fc = nn.Linear(1 * 6 * 6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.c(x)
        x = torch.flatten(x, 1)
        return self.fc(x)
""",
        "the file says in_features=36, the network in_features=108",
    ),
}
"""Networks, wrong files of them (some from earlier versions of archspec), and the message for each."""

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import Tensor, nn\n"

FACTORY = """

def net({parameters}) -> Net:
    return Net({passed})
"""


def with_head(body: str, width: bool = False) -> str:
    parameters, passed = ("width: int = 1", "width=width") if width else ("", "")
    return HEAD + body + FACTORY.format(parameters=parameters, passed=passed)


def refusal(source: str, text: str) -> str:
    graph = pipeline.compile(source)
    with pytest.raises(ValidationError) as error:
        validate(text, graph, Recompiler(graph))
    return str(error.value)


@pytest.mark.parametrize("name", WRONG)
def test_wrong_file_is_refused(name: str) -> None:
    source, body, message = WRONG[name]
    assert message in refusal(source, with_head(body, "width: int = 1" in body))


RESIDUAL = """
name: net
input: [4, 8, 8]
layers:
- a: {op: conv2d, out_channels: 4, kernel_size: 1}
- b: {op: conv2d, out_channels: 4, kernel_size: 1}
- {op: relu, as: r}
- {op: add, from: [a, r]}
"""


def residual(*lines: str) -> str:
    """A file of the network above with other lines in its `forward`."""
    made = ("super().__init__()", "self.a = nn.Conv2d(4, 4, kernel_size=1)", "self.b = nn.Conv2d(4, 4, kernel_size=1)")
    init = "".join(f"        {line}\n" for line in made)
    body = "".join(f"        {line}\n" for line in lines)
    return with_head(
        f"\nclass Net(nn.Module):\n    def __init__(self) -> None:\n{init}\n"
        f"    def forward(self, x: Tensor) -> Tensor:\n{body}"
    )


@pytest.mark.parametrize("lines", [
    ("x = self.a(x)", "out = F.relu(self.b(x), inplace=True)", "return x + out"),
    ("x = self.a(x)", "out = F.relu(self.b(x))", "return x + out"),
    ("a = self.a(x)", "b = self.b(a)", "if b is not None:", "    b = F.relu(b)", "return a + b"),
    ("a = self.a(x)", "for _ in range(1):", "    b = F.relu(getattr(self, 'b')(a))", "return a + b"),
    ("values = [self.a(x)]", "values.append(self.b(values[-1]))", "return values[0] + F.relu(values[1])"),
])  # fmt: skip
def test_the_same_network_in_other_words_is_accepted(lines: tuple[str, ...]) -> None:
    graph = pipeline.compile(RESIDUAL)
    validate(residual(*lines), graph, Recompiler(graph))


@pytest.mark.parametrize(("lines", "message"), [
    (("a = self.a(x)", "b = self.b(a)", "return a + b"), "the file says operator.add(a, b), the network F.relu(b)"),
    (("a = self.a(x)", "b = F.relu(self.b(a))", "return b + a"), "operator.add(r, a), the network operator.add(a, r)"),
    (("a = self.a(x)", "b = F.relu(self.b(x))", "return a + b"), "self.b(the input), the network self.b(a)"),
    (("a = self.a(x)", "b = F.relu(self.b(a))", "a += b", "return a"), "add in place, the network not in place"),
    (("a = self.a(x)", "b = F.relu(self.b(a))", "return a + b, a"), "return tuple (add, a), the network return add"),
    (("a = self.a(x)", "F.relu(a, inplace=True)", "return a + F.relu(self.b(a))"), "the network self.b(a)"),
    (("a = self.a(x)", "self.b(a)", "b = F.relu(self.b(a))", "return a + b"), "self.b(a), the network F.relu(b)"),
    (("a = self.a(x)", "b = F.relu(self.b(a))", "c = a + b"), "forward returns no tensor"),
    (("a = self.a(x)", "while True:", "    return a"), "is not understood"),
    (("a = self.a(x)", "b = (lambda y: F.relu(y))(self.b(a))", "return a + b"), "is not understood"),
    (("a = self.a(x)", "return a + F.relu(self.c(a))"), "self has no attribute 'c' here"),
    (("return a + self.b(x)", "a = 1"), "unknown name 'a'"),
    (("a = self.a(x)", "if a:", "    a = self.b(a)", "return a"), "a condition that is not a number, string or list"),
    (("a = self.a(x)", "self.a = None", "return a"), "cannot be assigned here"),
    (("return eval('x')",), "unknown name 'eval'"),
    (("return x.__class__",), "forward returns no tensor"),
])  # fmt: skip
def test_another_data_flow_is_refused(lines: tuple[str, ...], message: str) -> None:
    assert message in refusal(RESIDUAL, residual(*lines))


TABLES = """
name: net
input: [4, 8, 8]
layers:
- c: {op: conv2d, out_channels: 4, kernel_size: 1}
- a: {op: parameter, shape: [4, 1, 1], init: {normal: {std: 0.5}}}
- b: {op: parameter, shape: [4, 1, 1], init: {normal: {std: 0.5}}}
- d: {op: mul, from: [a, c]}
- {op: add, from: [b, d]}
"""

FILLED = "nn.init.normal_(torch.empty(4, 1, 1), std=0.5)"


def tables(*lines: str) -> str:
    """A file of the network above with these lines in its constructor."""
    init = "".join(f"        {line}\n" for line in ("super().__init__()", *lines))
    return with_head(
        f"\nclass Net(nn.Module):\n    def __init__(self) -> None:\n{init}\n"
        "    def forward(self, x: Tensor) -> Tensor:\n        x = self.a * self.c(x)\n        return self.b + x\n"
    )


CONV = "self.c = nn.Conv2d(4, 4, kernel_size=1)"


@pytest.mark.parametrize(("lines", "message"), [
    ((CONV, f"a = {FILLED}", "self.a = nn.Parameter(a)", f"self.b = nn.Parameter({FILLED})"), ""),
    ((f"self.a = nn.Parameter({FILLED})", CONV, f"self.b = nn.Parameter({FILLED})"), "'a' at place 0, the network 'c'"),
    ((f"a = {FILLED}", CONV, "self.a = nn.Parameter(a)", f"self.b = nn.Parameter({FILLED})"), "'a' at place 0"),
    ((CONV, f"a = {FILLED}", "self.a = nn.Parameter(a)", "self.b = nn.Parameter(a)"), "is used twice"),
    ((CONV, f"self.a = nn.Parameter({FILLED})", f"b = {FILLED}", f"self.b = nn.Parameter({FILLED})"), "not used"),
    ((CONV, f"self.a = nn.Parameter({FILLED})", "self.b = nn.Parameter(torch.empty(4, 1, 1))"), "is empty"),
    ((CONV, f"self.a = nn.Parameter({FILLED})", "self.b = nn.Parameter(torch.zeros(4, 1, 1))"), "constant_"),
    ((CONV, f"self.a = nn.Parameter({FILLED})", f"self.b = nn.Parameter({FILLED.replace('0.5', '0.25')})"), "0.25"),
    ((CONV, f"self.a = nn.Parameter({FILLED})", f"self.b = nn.Parameter({FILLED}, False)"), "of one new tensor"),
    ((CONV, f"self.a = nn.Parameter({FILLED})", f"self.b = nn.Parameter(nn.init.ones_({FILLED}))"), "cannot be called"),
])  # fmt: skip
def test_parameters_are_filled_once_and_in_their_order(lines: tuple[str, ...], message: str) -> None:
    graph = pipeline.compile(TABLES)
    if message:
        assert message in refusal(TABLES, tables(*lines))
    else:
        validate(tables(*lines), graph, Recompiler(graph))


@pytest.mark.parametrize(("before", "after", "message"), [
    ("a = nn.Conv2d(4, 4", "a = nn.Conv2d(4, 5", "a: the file says out_channels=5, the network out_channels=4"),
    ("kernel_size=1)", "kernel_size=1, stride=2)", "stride=2, the network stride=1"),
    ("kernel_size=1)", "kernel_size=1, padding_mode='reflect')", "the file says padding_mode"),
    ("self.a = ", "self.c = ", "'c' at place 0, the network 'a'"),
    ("self.b = nn.Conv2d(4, 4, kernel_size=1)", "self.b = self.a", "self has no attribute 'a' here"),
    ("self.b = nn.Conv2d(4, 4, kernel_size=1)", "b = self.b = nn.Conv2d(4, 4, kernel_size=1)", "is not understood"),
    ("self.a = ", "nn.Conv2d(4, 4, kernel_size=1)\n        self.a = ", "a module is made but not registered"),
    ("return x", "return x + 0.0", "the network nothing more"),
    ("        super().__init__()\n", "", "before super().__init__ is called"),
    ("import torch\n", "import os\n", "'import os' is not understood"),
    ("return Net()", "return None", "net does not make what Net makes"),
])  # fmt: skip
def test_other_modules_are_refused(before: str, after: str, message: str) -> None:
    text = residual("x = self.a(x)", "out = F.relu(self.b(x), inplace=True)", "x = x + out", "return x")
    assert before in text
    assert message in refusal(RESIDUAL, text.replace(before, after, 1))


def test_values_that_were_overwritten_are_not_read() -> None:
    """The graph's own decision is checked, too: here one says that a value is overwritten that is read again."""
    graph = pipeline.compile(RESIDUAL.replace("[a, r]", "[b, r]").replace("relu, as", "sigmoid, as"))
    steps = list(graph.root.steps)
    steps[2] = dataclasses.replace(pipeline.compile(RESIDUAL).root.steps[2], inplace=True)
    wrong = dataclasses.replace(graph, root=dataclasses.replace(graph.root, steps=tuple(steps)))
    text = residual("x = self.b(self.a(x))", "out = F.relu(x, inplace=True)", "return x + out")
    with pytest.raises(ValidationError, match="reads b after it was overwritten"):
        validate(text, wrong, lambda changed: wrong)


def test_an_input_is_not_overwritten() -> None:
    graph = pipeline.compile(
        "name: net\ninput: [4, 8, 8]\nlayers:\n- {op: relu}\n- a: {op: conv2d, out_channels: 4, kernel_size: 1}\n"
    )
    first, *others = graph.root.steps
    steps = (dataclasses.replace(first, inplace=True), *others)
    wrong = dataclasses.replace(graph, root=dataclasses.replace(graph.root, steps=steps))
    text = residual("return self.a(F.relu(x, inplace=True))").replace(
        "        self.b = nn.Conv2d(4, 4, kernel_size=1)\n", ""
    )
    with pytest.raises(ValidationError, match="overwrites the input, which others may read"):
        validate(text, wrong, lambda changed: wrong)


def test_helpers_are_as_archspec_ships_them() -> None:
    text, graph, recompile = compiled("convnext_tiny")
    changed = text.replace("survival = 1.0 - self.p", "survival = 1.0 - self.p / 2")
    with pytest.raises(ValidationError, match="StochasticDepth differs from the helper that archspec ships"):
        validate(changed, graph, recompile)


ROUNDS = "any_number_of_inputs_in_rounds"
NUMBERS = "functions_with_other_numbers"
CONDITIONS = "groups_of_a_seq_under_conditions"


@pytest.mark.parametrize(("fixture", "before", "after", "message"), [
    (ROUNDS, "sum(terms[1:], terms[0])", "sum(terms[2:], terms[0])", "the network operator.add"),
    (ROUNDS, "sum(terms[1:], terms[0])", "sum(terms[:1], terms[1])", "the network operator.add"),
    (ROUNDS, "sum(terms[1:], terms[0])", "sum(terms)", "is not understood"),
    (ROUNDS, "sum(terms[1:], terms[0])", "sum(terms, 0)", "something other than tensors"),
    (ROUNDS, "zip(self.children(), maps,", "zip(self.children(), maps[::-1],", "self.0(input "),
    (ROUNDS, "maps_channels[level], k", "maps_channels[0], k", "the network out_channels"),
    (NUMBERS, "self.stride = stride", "self.stride = 1", "'stride': 1"),
    (NUMBERS, "padding=self.padding, ", "", "the network F.conv2d"),
    (NUMBERS, "self.halves_sizes = [first,", "self.halves_sizes = [4,", "the network torch.split"),
    (NUMBERS, "x[:, :, self.start :]", "x[:, self.start :]", "the network operator.getitem"),
    (CONDITIONS, "if up:", "if halvings:", "a: the file says 1 names"),
])  # fmt: skip
def test_a_wrong_number_in_one_of_several_uses_is_refused(fixture: str, before: str, after: str, message: str) -> None:
    text, graph, recompile = compiled((FIXTURES / f"{fixture}.yaml").read_text(encoding="utf-8"))
    assert before in text
    with pytest.raises(ValidationError, match=re.escape(message)):
        validate(text.replace(before, after), graph, recompile)


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "efficientnet_b0", "regnet_y_400mf"])
def test_folded_networks_are_validated(name: str) -> None:
    """`codegen` validates what it folds; the text is not that of the network as it was."""
    text = archspec.codegen(name, fold_batch_norm=True)
    graph = pipeline.compile(name)
    with pytest.raises(ValidationError):
        validate(text, graph, Recompiler(graph))


def test_features_are_compared_by_name_and_order() -> None:
    graph = extract(pipeline.compile(RESIDUAL), ["add", "a"])
    lines = ("a = self.a(x)", "b = F.relu(self.b(a), inplace=True)")
    validate(residual(*lines, "return {'add': a + b, 'a': a}"), graph, lambda changed: graph)
    for wrong in ("{'a': a, 'add': a + b}", "{'add': a, 'a': a + b}", "a + b, a"):
        with pytest.raises(ValidationError):
            validate(residual(*lines, f"return {wrong}"), graph, lambda changed: graph)


def test_wrong_file_is_one_error_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from archspec.backends.python import generate as target

    write = target.generate
    monkeypatch.setattr(target, "generate", lambda graph: write(graph).replace("kernel_size=5", "kernel_size=3"))
    result = CliRunner().invoke(app, ["codegen", "lenet", "-o", str(tmp_path / "lenet.py")])
    assert result.exit_code == 1
    assert result.stderr.startswith("error[internal]: lenet.py:20: conv1: the file says kernel_size=3, the network")
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_error_can_be_sent_between_processes() -> None:
    error = ValidationError("net.py", 3, "conv", "the file says 1, the network 2")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def make(text: str, name: str) -> nn.Module:
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(text, f"{name}.py", "exec"), namespace)
    made: nn.Module = namespace[name]()
    return made


def arguments_of(text: str, name: str) -> list[str]:
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(text, f"{name}.py", "exec"), namespace)
    return list(inspect.signature(namespace[name]).parameters)


def seeded(made: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return made()
