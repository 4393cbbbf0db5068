"""Initialisation rules that the initial weights of modules show."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice, product
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, nn

from archspec.importer.trace import Scope
from archspec.ops import OPS
from archspec.ops.distributions import distribution
from archspec.ops.initialisers import parse_initialiser

MAX_TRIALS: Final = 8
"""How many sets of rules are made of some weights."""

MAX_ODD: Final = 8
"""How many modules of one op may have rules of their own."""

LEAST: Final = 256
"""The least number of elements for which a tensor's standard deviation is informative."""

MOST: Final = 1 << 20
"""The most elements of a tensor that are looked at."""

SMALL: Final = 1e-3
"""Biases below it are not torch's default."""

Initialiser = Any
"""As it is written in a rule: `0`, `{normal: {std: 0.01}}`."""

A_OF_TORCH: Final = math.sqrt(5)

OF_TORCH: Final[Initialiser] = {"kaiming_uniform": {"a": A_OF_TORCH}}
"""How torch fills the weights of convolutions and linear layers."""

Rules = list[dict[str, Any]]


class Seen(NamedTuple):
    """What is seen of some numbers."""

    size: int
    mean: float
    std: float
    largest: float
    shape: tuple[int, ...]
    """The shape of the tensor."""
    groups: int
    constant: float | None
    """The number that all are."""
    is_drawn: bool = True
    """Whether no number is that of more than half: in an identity matrix zeros are."""

    @property
    def is_uniform(self) -> bool:
        """Whether they are from a uniform distribution rather than a normal one."""
        return self.largest <= 2 * self.std

    def has_spread(self, expected: float, uniform: bool) -> bool:
        """Whether they have a standard deviation and no mean, within the sampling error for their count."""
        if self.size < 2 or not self.is_drawn:
            return self.is_drawn
        error = (1.0 if uniform else 1.5) / math.sqrt(self.size) * 4
        is_centred = abs(self.mean) <= 2 * error * expected
        return is_centred and abs(self.std / expected - 1) <= error and self.is_uniform == uniform


class Weights(NamedTuple):
    """The parameters of a module that a rule can fill: a convolution, a linear layer."""

    path: str
    op: str
    tensors: dict[str, Seen]


class Target(NamedTuple):
    """What a rule is for, as it is written, and what it may fill each parameter with: `None` for torch's default."""

    what: tuple[str, str]
    choices: dict[str, list[Initialiser | None]]


def weights(root: Scope, model: nn.Module) -> Iterator[Weights]:
    """The modules that a rule can initialise."""
    for path, op in dict.fromkeys((call.path, call.op) for call in root.calls() if call.path is not None):
        if OPS[op].has_parameters() and OPS[op].role != "norm":
            module = model.get_submodule(str(path))
            own = {name: getattr(module, name, None) for name in ("weight", "bias")}
            groups = int(getattr(module, "groups", 1))
            seen = {
                name: seen_of(tensor.detach(), groups) for name, tensor in own.items() if isinstance(tensor, Tensor)
            }
            yield Weights(str(path), op, seen)


def is_default(found: Sequence[Weights]) -> bool:
    """Whether all may be as torch initialises them."""
    return all(None in choices for target in targets(found) for choices in target.choices.values())


def targets(found: Sequence[Weights]) -> list[Target]:
    """The rules that some weights need: one for each op, and before them those of modules that are unlike the
    others."""
    alone: list[Target] = []
    usual: list[Target] = []
    for op in dict.fromkeys(weight.op for weight in found):
        own = [weight for weight in found if weight.op == op]
        odd = _odd(own)
        alone += [target_of(weight) for weight in own if weight.path in odd]
        rest = [weight for weight in own if weight.path not in odd]
        usual.append(Target(("op", op), _choices(rest)))
    return [*alone, *usual]


def target_of(weight: Weights) -> Target:
    """The rule for one module."""
    return Target(("path", weight.path), _choices([weight]))


def rules(wanted: Sequence[Target]) -> Iterator[Rules]:
    """Sets of rules that have some targets, the likeliest first; none if a target may be filled by nothing known."""
    places = [(target.what, name) for target in wanted for name in target.choices]
    choices = [given for target in wanted for given in target.choices.values()]
    for chosen in islice(product(*choices), MAX_TRIALS):
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for (what, name), way in zip(places, chosen, strict=True):
            if way is not None:
                found.setdefault(what, {})[name] = way
        if all(target.what in found or target.what[0] == "op" for target in wanted):
            yield _joined(found)  # a module alone that is as torch fills it would be filled by the rule for its op


def _joined(found: dict[tuple[str, str], dict[str, Any]]) -> Rules:
    """Rules of equal content as one for several ops."""
    groups: dict[str, tuple[list[str], dict[str, Any]]] = {}
    for (kind, name), given in found.items():
        groups.setdefault(repr(given) if kind == "op" else name, ([], given))[0].append(name)
    kinds = {name: kind for kind, name in found}
    return [{kinds[names[0]]: names[0] if len(names) == 1 else names, **given} for names, given in groups.values()]


def _choices(found: Sequence[Weights]) -> dict[str, list[Initialiser | None]]:
    names = dict.fromkeys(name for weight in found for name in weight.tensors)
    return {name: list(_ways_of([weight for weight in found if name in weight.tensors], name)) for name in names}


def _ways_of(found: Sequence[Weights], name: str) -> Iterator[Initialiser | None]:
    return ways([weight.tensors[name] for weight in found])


def _odd(found: Sequence[Weights]) -> set[str]:
    """The modules whose parameters were filled otherwise than those of most; none if all are alike, or too many are
    not."""
    odd: set[str] = set()
    for name, known in _choices(found).items():
        if known:
            continue
        with_it = [weight for weight in found if name in weight.tensors]
        own = {weight.path: list(map(repr, _ways_of([weight], name))) for weight in with_it}
        usual = Counter(way for some in own.values() for way in some).most_common(1)
        odd |= {path for path, some in own.items() if usual and usual[0][0] not in some}
    return odd if len(odd) <= min(MAX_ODD, len(found) // 2) else set()


def ways(seen: Sequence[Seen]) -> Iterator[Initialiser | None]:
    """The rules that tensors may have been filled by, `None` for torch's default; empty if unknown."""
    first = seen[0].constant
    if first is not None and all(one.constant == first for one in seen):
        yield 0 if first == 0 else first
        return
    if len(seen[0].shape) < 2:
        yield from _of_vectors(seen)
        return
    large = [one for one in seen if one.size >= LEAST] or seen
    if all(one.has_spread(spread_of(OF_TORCH, one.shape), uniform=True) for one in large):
        yield None
        return
    uniform = all(one.is_uniform for one in large)
    yield from (_scaled(large, uniform))
    yield from (() if uniform else _constant(large))


def seen_of(tensor: Tensor, groups: int = 1) -> Seen:
    """What is seen of a tensor, or of its first numbers if it is large."""
    numbers = tensor.flatten()[:MOST]
    first = float(numbers[0])
    is_constant = bool((numbers[:LEAST] == first).all()) and bool((tensor == first).all())
    std, mean = torch.std_mean(numbers, correction=min(1, len(numbers) - 1))
    largest = float(numbers.abs().max())
    constant = first if is_constant else None
    is_drawn = len(numbers) < 3 or int((numbers == numbers.median()).sum()) <= len(numbers) / 2
    return Seen(len(numbers), float(mean), float(std), largest, tuple(tensor.shape), groups, constant, is_drawn)


def _of_vectors(seen: Sequence[Seen]) -> Iterator[Initialiser | None]:
    """Numbers much smaller than torch's default for biases are normal; of others it is not known how large that is."""
    together = _together(seen)
    if together.size >= LEAST and together.largest < SMALL:
        yield from _constant([together])
    else:
        yield None


def _together(seen: Sequence[Seen]) -> Seen:
    """What is seen of all numbers of several tensors."""
    size = sum(one.size for one in seen)
    mean = sum(one.size * one.mean for one in seen) / size
    squares = sum((one.size - 1) * one.std**2 + one.size * (one.mean - mean) ** 2 for one in seen)
    std = math.sqrt(squares / max(1, size - 1))
    return Seen(size, mean, std, max(one.largest for one in seen), (size,), 1, None)


def _scaled(seen: Sequence[Seen], uniform: bool) -> Iterator[Initialiser]:
    """Initialisers whose spread follows from the shape."""
    kind = f"kaiming_{'uniform' if uniform else 'normal'}"
    of_outputs = scaled_ways(uniform)[0]
    for way in scaled_ways(uniform):
        if all(one.has_spread(spread_of(way, one.shape), uniform) for one in seen):
            yield way
    is_grouped = not uniform and any(one.groups > 1 for one in seen)
    if is_grouped and all(
        one.has_spread(math.sqrt(one.groups) * spread_of(of_outputs, one.shape), uniform) for one in seen
    ):
        yield {"normal": {"std": "=sqrt(2 / (kernel_size[0] * kernel_size[1] * out_channels // groups))"}}
    of_torch = {kind: {"mode": "fan_out", "a": A_OF_TORCH}}
    if uniform and all(one.has_spread(spread_of(of_torch, one.shape), uniform) for one in seen):
        yield {"uniform": {"a": "=-1 / sqrt(out_features)", "b": "=1 / sqrt(out_features)"}}


def scaled_ways(uniform: bool) -> list[Initialiser]:
    """The initialisers whose spread follows from the shape, of a uniform or a normal distribution."""
    kind = f"kaiming_{'uniform' if uniform else 'normal'}"
    return [
        {kind: {"mode": "fan_out", "nonlinearity": "relu"}},
        {kind: {"nonlinearity": "relu"}},
        kind.replace("kaiming", "xavier"),
        {kind: {"mode": "fan_out", "nonlinearity": "sigmoid"}},
        {kind: {"nonlinearity": "linear"}},
    ]


def spread_of(way: Initialiser, shape: Sequence[int]) -> float:
    """The standard deviation of what an initialiser fills a parameter of this shape with."""
    kind, (_, last) = distribution(*parse_initialiser(way), shape)
    return float(last) if kind == "normal" else float(last) / math.sqrt(3)


def _constant(seen: Sequence[Seen]) -> Iterator[Initialiser]:
    """Normal numbers of one standard deviation, truncated or not: only the seed can tell which."""
    count = sum(one.size for one in seen)
    spread = math.sqrt(sum(one.std**2 * one.size for one in seen) / count)
    for std in dict.fromkeys((float(f"{spread:.1g}"), float(f"{spread:.2g}"))):
        if all(one.has_spread(std, uniform=False) for one in seen):
            yield {"normal": {"std": std}}
            yield {"trunc_normal": {"std": std}}
            return
