"""Random valid networks: what is inferred is what torch observes, built = generated to the bit, expanded = the same,
and what overwrites a value does not change a number.

`ARCHSPEC_NETWORKS=5000 pytest tests/test_random_networks.py` tries more of them, and `ARCHSPEC_FIRST_NETWORK=7000`
others. A network that was once got wrong stays as a file in `fixtures/networks`.
"""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from oracle import randomise
from random_networks import network
from torch import Tensor, nn

import archspec
from archspec import document
from archspec.graph import Step
from archspec.inplace import inplace_steps
from archspec.targets.torch import check_shapes

COUNT = int(os.environ.get("ARCHSPEC_NETWORKS", "300"))
FIRST = int(os.environ.get("ARCHSPEC_FIRST_NETWORK", "0"))
SEEDS = range(FIRST, FIRST + COUNT)
FIXTURES = sorted((Path(__file__).parent / "fixtures" / "networks").glob("*.yaml"))


def text_of(seed: int) -> str:
    return document.dump(network(seed))


def sources() -> list[str]:
    """The networks of this run as YAML: the random ones and the kept ones."""
    return [*map(text_of, SEEDS), *(path.read_text(encoding="utf-8") for path in FIXTURES)]


# -- one network ------------------------------------------------------------------------------------------------


def check_network(text: str) -> None:
    """Everything that must hold of a network."""
    graph = archspec.compile(text)
    graph.verify()
    code = archspec.codegen(text)
    model = seeded(lambda: archspec.build(text))
    check_inferred(graph, model)
    check_twins(model, seeded(lambda: make(code, graph.name)), graph.input_shape)
    check_twins(
        seeded(lambda: archspec.build(text)), seeded(lambda: built_without_overwriting(text)), graph.input_shape, near
    )
    check_expanded(text, code)
    check_overrides(text, code)
    assert archspec.render(text, format="dot").startswith(b"digraph")


EXACT_IN_PLACE = ("add", "sub", "relu", "relu6", "leaky_relu")
"""Ops that come to the same number in place and not; torch rounds others by how their memory is laid out."""


def built_without_overwriting(text: str) -> nn.Module:
    """A network in which none of these ops overwrites a value."""

    def others(steps: Sequence[Step], *results: Any) -> set[int]:
        return {n for n in inplace_steps(steps, *results) if steps[n].target.kind not in EXACT_IN_PLACE}  # type: ignore[union-attr]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("archspec.elaborate.frame.inplace_steps", others)
        patch.setattr(sys.modules["archspec.elaborate"], "_SHARED", {})
        return archspec.build(text)


def check_inferred(graph: Any, model: nn.Module) -> None:
    assert {key: tuple(value.shape) for key, value in model.state_dict().items()} == graph.state_dict_shapes()
    assert list(model.state_dict()) == list(graph.state_dict_shapes())
    assert sum(parameter.numel() for parameter in model.parameters()) == graph.params
    assert check_shapes(graph, model) == []


def near(found: Tensor, expected: Tensor) -> bool:
    """Equal but for the last digits: a sum in place has the memory layout of its first operand, and gradients of
    convolutions round by layout. What was overwritten too early is not near."""
    return bool((found - expected).abs().max() <= 1e-4 * expected.abs().max() + 1e-6)


def check_twins(
    built: nn.Module, written: nn.Module, shape: Any, same: Callable[[Tensor, Tensor], bool] = torch.equal
) -> None:
    """The same initial weights, and with any weights the same outputs, statistics and gradients."""
    assert same_state(built, written), "initial weights"
    randomise(built)
    written.load_state_dict(built.state_dict())
    x = torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))
    found = [run(model, x.clone()) for model in (built, written)]
    assert len(found[0]) == len(found[1])
    assert all(same(a, b) for a, b in zip(*found, strict=True)), "outputs"
    assert same_state(built, written, same), "running statistics"


def run(model: nn.Module, x: Tensor) -> list[Tensor]:
    """Outputs in training and evaluation, and the gradients."""
    torch.manual_seed(2)
    output: Any = model.train()(x)
    trained = [output] if isinstance(output, Tensor) else list(output)
    if any(tensor.requires_grad for tensor in trained):
        torch.stack([tensor.square().mean() for tensor in trained]).sum().backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        evaluated: Tensor = model.eval()(x)
    return [*trained, evaluated, *(p.grad for p in model.parameters() if p.grad is not None)]


def check_expanded(text: str, code: str) -> None:
    """Expanding writes the same network."""
    expanded = archspec.expand(text)
    assert archspec.expand(expanded) == expanded
    assert archspec.compile(expanded).state_dict_shapes() == archspec.compile(text).state_dict_shapes()
    assert archspec.codegen(expanded) == code


def check_overrides(text: str, code: str) -> None:
    """The parameters that a generated class keeps do what overriding them in the spec does."""
    graph = archspec.compile(text)
    defaults = arguments_of(code, graph.name)
    changed = {name: other(value) for name, value in defaults.items()}
    if not changed:
        return
    built = seeded(lambda: archspec.build(archspec.load(text, **changed)))
    written = seeded(lambda: make(code, graph.name, **changed))
    check_twins(built, written, graph.input_shape)


def other(value: Any) -> Any:
    """Another value a parameter may have."""
    if isinstance(value, bool):
        return not value
    return value + 0.125 if isinstance(value, float) else value + 8


def namespace_of(code: str, name: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(code, f"{name}.py", "exec"), namespace)
    return namespace


def make(code: str, name: str, **arguments: Any) -> nn.Module:
    """The network of generated code."""
    made: nn.Module = namespace_of(code, name)[name](**arguments)
    return made


def arguments_of(code: str, name: str) -> dict[str, Any]:
    """The arguments of a generated factory, with their defaults."""
    factory = namespace_of(code, name)[name]
    return {key: parameter.default for key, parameter in inspect.signature(factory).parameters.items()}


def seeded(made: Any) -> Any:
    torch.manual_seed(0)
    return made()


def same_state(left: nn.Module, right: nn.Module, same: Callable[[Tensor, Tensor], bool] = torch.equal) -> bool:
    a, b = left.state_dict(), right.state_dict()
    return list(a) == list(b) and all(same(a[key], b[key]) for key in a)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_network(seed: int) -> None:
    check_network(text_of(seed))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_network_that_was_got_wrong(path: Path) -> None:
    check_network(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["widths_of_an_index", "seqs_in_rounds"])
def test_rounds_that_differ_keep_the_parameters(name: str) -> None:
    """A loop that no one expression would do for is written out; no parameter is frozen for its sake."""
    (path,) = (path for path in FIXTURES if path.stem == name)
    assert arguments_of(archspec.codegen(path.read_text(encoding="utf-8")), name) == {"width": 24}


# -- all networks at once ---------------------------------------------------------------------------------------


def test_generated_files_are_clean(tmp_path: Path) -> None:
    """ruff finds nothing to complain about or to lay out otherwise, with the settings that generated/ has."""
    folder = tmp_path / "generated"
    folder.mkdir()
    for number, text in enumerate(sources()):
        (folder / f"net{number}.py").write_text(archspec.codegen(text), encoding="utf-8")
    settings = Path(__file__).parent.parent / "pyproject.toml"
    (tmp_path / "pyproject.toml").write_bytes(settings.read_bytes())
    for command in (["check"], ["format", "--check", "--diff"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *command, "--no-cache", "generated"], cwd=tmp_path,
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr


_DIGEST = """
import hashlib, sys
import archspec
for text in sys.stdin.read().split("\\0"):
    print(hashlib.sha256((archspec.codegen(text) + archspec.expand(text)).encode()).hexdigest())
    print(hashlib.sha256(archspec.render(text, format="dot")).hexdigest())
"""


def test_texts_do_not_depend_on_the_hash_seed() -> None:
    given = "\0".join(sources()[:40])
    found = [
        subprocess.run([sys.executable, "-c", _DIGEST], input=given, env={**os.environ, "PYTHONHASHSEED": seed},
                       capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert found[0] == found[1] != ""
