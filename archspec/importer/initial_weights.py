"""Initialisation rules that the initial weights of a model show, and whether they are the model's for the same seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, nn

from archspec.importer.trace import Scope
from archspec.ops import OPS

MAX_TRIALS: Final = 8
"""How many sets of rules are tried with the seed."""

LEAST: Final = 256
"""The least number of elements for which a tensor's standard deviation is informative."""

Initialiser = Any
"""As it is written in a rule: `0`, `{normal: {std: 0.01}}`."""


class Weights(NamedTuple):
    """The tensors of one name in all modules of one op."""

    op: str
    name: str
    tensors: list[Tensor]


def rules(root: Scope, model: nn.Module) -> Iterator[list[dict[str, Any]]]:
    """Sets of rules that the weights of a model may come from; the likeliest first."""
    choices = [(found.op, found.name, list(ways(found.tensors))) for found in _weights(root, model)]
    known = [(op, name, given) for op, name, given in choices if given]
    trials = product(*(given for _, _, given in known))
    for number, chosen in enumerate(trials):
        if number == MAX_TRIALS:
            return
        found: dict[str, dict[str, Any]] = {}
        for (op, name, _), way in zip(known, chosen, strict=True):
            if way is not None:
                found.setdefault(op, {})[name] = way
        yield _joined(found)


def _joined(found: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Rules of equal content as one for several ops."""
    groups: dict[str, tuple[list[str], dict[str, Any]]] = {}
    for op, ways_of_op in found.items():
        groups.setdefault(repr(ways_of_op), ([], ways_of_op))[0].append(op)
    return [{"op": ops[0] if len(ops) == 1 else ops, **given} for ops, given in groups.values()]


def _weights(root: Scope, model: nn.Module) -> Iterator[Weights]:
    """What can be filled by a rule: weights and biases of convolutions and linear layers."""
    found: dict[tuple[str, str], list[Tensor]] = {}
    for path, op in dict.fromkeys((call.path, call.op) for call in root.calls() if call.path is not None):
        if not OPS[op].has_parameters() or OPS[op].role == "norm":
            continue
        module = model.get_submodule(str(path))
        for name in ("weight", "bias"):
            tensor = getattr(module, name, None)
            if isinstance(tensor, Tensor):
                found.setdefault((op, name), []).append(tensor.detach())
    for (op, name), tensors in found.items():
        yield Weights(op, name, tensors)


def ways(tensors: Sequence[Tensor]) -> Iterator[Initialiser | None]:
    """The rules that tensors may have been filled by, `None` for torch's default; empty if unknown."""
    first = float(tensors[0].flatten()[0])
    if all(bool((tensor == first).all()) for tensor in tensors):
        yield 0 if first == 0 else first
        return
    if tensors[0].ndim < 2:
        yield None
        return
    large = [tensor for tensor in tensors if tensor.numel() >= LEAST] or list(tensors)
    if all(_has_spread(tensor, _of_torch(tensor), uniform=True) for tensor in large):
        yield None
        return
    uniform = all(_is_uniform(tensor) for tensor in large)
    yield from (_scaled(large, uniform))
    yield from (() if uniform else _constant(large))


def _is_uniform(tensor: Tensor) -> bool:
    return bool(tensor.abs().max() <= 1.8 * tensor.std())


def _scaled(tensors: Sequence[Tensor], uniform: bool) -> Iterator[Initialiser]:
    """Initialisers whose spread follows from the shape."""
    kind = f"kaiming_{'uniform' if uniform else 'normal'}"
    forms: tuple[tuple[Initialiser, Callable[[int, int], float]], ...] = (
        ({kind: {"mode": "fan_out", "nonlinearity": "relu"}}, lambda fan_in, fan_out: math.sqrt(2 / fan_out)),
        ({kind: {"nonlinearity": "relu"}}, lambda fan_in, fan_out: math.sqrt(2 / fan_in)),
        (kind.replace("kaiming", "xavier"), lambda fan_in, fan_out: math.sqrt(2 / (fan_in + fan_out))),
        ({kind: {"mode": "fan_out", "nonlinearity": "sigmoid"}}, lambda fan_in, fan_out: 1 / math.sqrt(fan_out)),
        ({kind: {"nonlinearity": "linear"}}, lambda fan_in, fan_out: 1 / math.sqrt(fan_in)),
    )
    for way, spread in forms:
        if all(_has_spread(tensor, spread(*_fans(tensor)), uniform) for tensor in tensors):
            yield way


def _constant(tensors: Sequence[Tensor]) -> Iterator[Initialiser]:
    """Normal numbers of one standard deviation, truncated or not: only the seed can tell which."""
    spread = float(torch.cat([tensor.flatten() for tensor in tensors]).std())
    std = float(f"{spread:.1g}")
    for std in dict.fromkeys((float(f"{spread:.1g}"), float(f"{spread:.2g}"))):
        if all(_has_spread(tensor, std, uniform=False) for tensor in tensors):
            yield {"normal": {"std": std}}
            yield {"trunc_normal": {"std": std}}
            return


def _has_spread(tensor: Tensor, expected: float, uniform: bool) -> bool:
    """Whether numbers have a standard deviation, within the sampling error for their count."""
    if tensor.numel() < 2:
        return True
    error = (1.0 if uniform else 1.5) / math.sqrt(tensor.numel()) * 4
    return abs(float(tensor.std()) / expected - 1) <= error and _is_uniform(tensor) == uniform


def _of_torch(tensor: Tensor) -> float:
    """The spread of torch's default initialisation of convolutions and linear layers."""
    return 1 / math.sqrt(3 * _fans(tensor)[0])


def _fans(tensor: Tensor) -> tuple[int, int]:
    window = math.prod(tensor.shape[2:])
    return tensor.shape[1] * window, tensor.shape[0] * window
