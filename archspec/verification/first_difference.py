"""The first submodule, in the order they run, that computes something different in the other module.

Both modules have equal weights and run on equal inputs. A submodule with tensors is paired by its keys, any other by
its name. A submodule without a counterpart (an activation, say) is detected by its effect on the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import Any, NamedTuple

from torch import Tensor, nn

from archspec.verification.differences import difference, flatten_outputs, reordered

MAX_REPR = 200
"""The most characters shown of the repr of a module."""

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)

Run = Callable[[nn.Module], Any]
"""Runs a module from the same state and with the same random numbers each time."""


class Call(NamedTuple):
    """A submodule's name in our module, and which of its runs this is, from 0."""

    name: str
    number: int


class Sides(NamedTuple):
    """The two modules, the name of the other in messages, and the names of its submodules by those of ours."""

    ours: nn.Module
    theirs: nn.Module
    other: str
    names: Mapping[str, str]

    def both(self, name: str) -> str:
        """A submodule's name, with its name in the other module if that is different."""
        there = self.names[name]
        return f"'{name}'" if there == name else f"'{name}' ('{there}' in {self.other})"


def sides(ours: nn.Module, theirs: nn.Module, other: str, pairs: Sequence[tuple[str, str]]) -> Sides:
    """Pair the submodules of two modules whose state_dict keys are paired."""
    here, there = ({name for name, part in module.named_modules() if is_leaf(part)} for module in (ours, theirs))
    owners = {a.rpartition(".")[0]: b.rpartition(".")[0] for a, b in reversed(pairs)}
    taken = set(owners.values())
    names = {name: name for name in here & there if name not in owners and name not in taken}
    names.update((a, b) for a, b in owners.items() if a in here and b in there)
    return Sides(ours, theirs, other, names)


def locate(pair: Sides, run: Run, tolerance: float) -> str:
    """Describe where the first difference is, one line per fact."""
    ours = _outputs(pair.ours, {name: name for name in pair.names}, run)
    theirs = _outputs(pair.theirs, {there: name for name, there in pair.names.items()}, run)
    before = ""
    for call, output in ours.items():
        said = _difference(output, theirs[call], tolerance) if call in theirs else "it does not run"
        if said:
            return _first(pair, run, call, said, before, tolerance)
        before = f" after {pair.both(call.name)}"
    return f"all submodules have equal outputs: the difference arises{before or ' outside them'}"


def _first(pair: Sides, run: Run, call: Call, said: str, before: str, tolerance: float) -> str:
    """The first submodule whose output differs, and whether its input differs already."""
    where = pair.both(call.name) + (f", run {call.number + 1}" if call.number else "")
    if said == "it does not run":
        return f"first difference{before}: {where} does not run in {pair.other}"
    ours = _input(pair.ours, call.name, call, run)
    theirs = _input(pair.theirs, pair.names[call.name], call, run)
    arrives = _difference(ours, theirs, tolerance)
    if not arrives:
        return f"first difference in {where}: with equal inputs, {said}\n{_described(pair, call.name)}"
    lines = [f"first difference before {where}{before and ', '}{before.strip()}", f"for its inputs, {arrives}"]
    lines += ["they are the same numbers in another order"] * reordered(ours, theirs)
    between = _run_before(pair, call, run)
    lines += [f"directly before it runs {between}"] * bool(between)
    return "\n".join(lines)


def _difference(ours: Sequence[Any], theirs: Sequence[Any], tolerance: float) -> str:
    if len(ours) != len(theirs):
        return f"{len(ours)} values and {len(theirs)}"
    return next(filter(None, (difference(a, b, tolerance) for a, b in zip(ours, theirs, strict=True))), "")


def _described(pair: Sides, name: str) -> str:
    """The reprs of the two modules."""
    ours = _repr(pair.ours.get_submodule(name))
    theirs = _repr(pair.theirs.get_submodule(pair.names[name]))
    return f"both are {ours}" if ours == theirs else f"{ours}\n{theirs} in {pair.other}"


def _repr(module: nn.Module) -> str:
    said = " ".join(repr(module).split())
    return said if len(said) <= MAX_REPR else f"{said[:MAX_REPR]} …"


def _outputs(module: nn.Module, names: Mapping[str, str], run: Run) -> dict[Call, list[Any]]:
    """The outputs of each submodule, by the names in `names`, in the order they run."""
    found: dict[Call, list[Any]] = {}
    counts: dict[str, int] = {}

    def hook_for(name: str) -> Any:
        def record(part: nn.Module, inputs: Any, output: Any) -> None:
            counts[name] = number = counts.get(name, -1) + 1
            found[Call(name, number)] = _copies(output)

        return record

    with _hooked(module.get_submodule(name).register_forward_hook(hook_for(known)) for name, known in names.items()):
        run(module)
    return found


def _input(module: nn.Module, name: str, call: Call, run: Run) -> list[Any]:
    """The inputs of one run of a submodule, copied before it runs, since it may work in place."""
    found: list[list[Any]] = []

    def record(part: nn.Module, inputs: Any, keywords: Any) -> None:
        found.append(_copies((*inputs, *keywords.values())) if len(found) == call.number else [])

    with _hooked([module.get_submodule(name).register_forward_pre_hook(record, with_kwargs=True)]):
        run(module)
    return found[call.number]


def _run_before(pair: Sides, call: Call, run: Run) -> str:
    """The reprs of our submodules that run directly before a call and have no counterpart."""
    ran: list[str] = []
    found: list[list[str]] = []

    def hook_for(name: str) -> Any:
        def record(part: nn.Module, inputs: Any) -> None:
            if name == call.name:
                found.append(ran.copy())
            ran.append(name)

        return record

    leaves = {name: part for name, part in pair.ours.named_modules() if is_leaf(part)}
    with _hooked(part.register_forward_pre_hook(hook_for(name)) for name, part in leaves.items()):
        run(pair.ours)
    alone = list(takewhile(lambda name: name not in pair.names, reversed(found[call.number])))
    return ", ".join(f"'{name}' {_repr(leaves[name])}" for name in reversed(alone))


@contextmanager
def _hooked(handles: Any) -> Iterator[None]:
    hooks = list(handles)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _copies(value: Any) -> list[Any]:
    return [part.detach().clone() if isinstance(part, Tensor) else None for _, part in flatten_outputs(value)]


def is_leaf(module: nn.Module) -> bool:
    """Whether a module is compared as a whole: it contains no others, or is one of torch's that runs its own."""
    return not module._modules or (
        type(module).__module__.startswith("torch.nn.") and not isinstance(module, CONTAINERS)
    )
