"""Translation validation: what `codegen` writes is accepted, and what is not the network is refused."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from mutants import Mutant, mutants
from oracle import randomise
from random_networks import network
from torch import Tensor, nn

import archspec
from archspec import document, driver
from archspec.errors import ValidationError
from archspec.graph import Graph
from archspec.validation import validate

FIXTURES = Path(__file__).parent / "fixtures" / "networks"

MUTANTS = 150
"""How many mutants of each file are tried."""

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
            self.found[key] = driver.with_parameters(self.graph, changed)
        self.asked |= changed.keys()
        return self.found[key]


@cache
def compiled(source: str) -> tuple[str, Graph, Recompiler]:
    graph = driver.compile(source)
    return archspec.codegen(source), graph, Recompiler(graph)


# -- what is accepted -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", driver.shipped())
def test_shipped_spec_is_validated_with_other_arguments(name: str) -> None:
    """Every argument that a file offers is given another value, and the network compiles with it."""
    text, graph, recompile = compiled(name)
    validate(text, graph, recompile)
    assert recompile.asked == set(arguments_of(text, graph.name))


@pytest.mark.parametrize("seed", range(60))
def test_random_network_is_validated(seed: int) -> None:
    validate(*compiled(document.dump(network(seed))))


# -- what is refused ------------------------------------------------------------------------------------------------


def sources_of_mutants() -> list[str]:
    fixtures = (
        "activation_in_place_in_some_instances", "many_modules_under_a_condition", "rounds_by_name", "sum_onto_a_view",
        "rules_over_parameters_and_attributes", "an_output_before_the_last", "whole_value_of_a_parameter",
    )  # fmt: skip
    texts = [(FIXTURES / f"{name}.yaml").read_text(encoding="utf-8") for name in fixtures]
    return [*SHIPPED, *texts, *(document.dump(network(seed)) for seed in (3, 5, 10, 17, 49, 106))]


@pytest.mark.parametrize("number", range(len(sources_of_mutants())))
def test_mutants_are_refused(number: int) -> None:
    """A mutant is refused, or torch shows that it is the same network."""
    source = sources_of_mutants()[number]
    text, graph, recompile = compiled(source)
    found = [mutant for mutant in mutants(text) if mutant.text != text]
    count = MUTANTS // 2 if source in SHIPPED else MUTANTS
    chosen = random.Random(number).sample(found, min(count, len(found)))
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
