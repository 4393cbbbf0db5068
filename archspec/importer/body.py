"""The items of a block or network as plain data, with their names and inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count
from keyword import iskeyword
from typing import Any

from archspec.expressions.functions import FUNCTIONS
from archspec.frontend.reserved_names import MODULE_NAMES, is_source_name
from archspec.importer.results import named_results
from archspec.importer.trace import Call, Place, Scope, Step, Value
from archspec.ops import OPS

Use = Callable[[Step], dict[str, Any]]
"""What an item runs: `{op: relu}`, `{block: Bottleneck, planes: 64}`."""


class Body:
    """The items of one scope. `raw` are the parameters and buffers of its module, by their values."""

    def __init__(
        self, scope: Scope, raw: dict[Value, tuple[str, dict[str, Any]]], use: Use,
        conditions: Mapping[Step, tuple[str, Value | None]],
    ) -> None:  # fmt: skip
        self.conditions = conditions
        self.scope = scope
        self.raw = raw
        self.use = use
        self.refs: dict[Value, str] = dict(zip(scope.inputs, input_names(scope), strict=True))
        self.taken = {*self.refs.values(), *(name for name, _ in raw.values())}
        self.taken |= {self.relative(step.path).partition(".")[0] for step in scope.steps if step.path is not None}
        self.registered: list[str] = []
        self.referred: set[str] = set()
        """The names of values that some item takes by name."""
        self.results: set[str] = set()
        """The names of values that are returned."""
        self.before: Value | None = scope.inputs[0] if len(scope.inputs) == 1 else None
        self.used = _counts(scope)
        self._items: list[tuple[Step | None, str | None, dict[str, Any]]] = []

    @property
    def names_result(self) -> bool:
        """Whether the network returns its one value within a tuple or dict, where it is referred to by name."""
        return not self.scope.path and not isinstance(self.scope.returned, Place)

    def relative(self, path: str) -> str:
        """A module's name within this one."""
        return path.removeprefix(f"{self.scope.path}.") if self.scope.path else path

    def is_own(self, path: str) -> bool:
        """Whether a module is inside this one."""
        return path.startswith(f"{self.scope.path}.") if self.scope.path else True

    def items(self) -> list[dict[str, Any]]:
        """All items, in order."""
        found: list[dict[str, Any]] = []
        for value, (name, data) in self.raw.items():
            self.refs[value] = name
            found.append({name: data})
        last = self._last
        for number, step in enumerate(self.scope.steps):
            nearby = next((after for after in self.scope.steps[number + 1 :] if not is_raw(after)), None)
            found.append(self._item(step, nearby, last))
        return found

    @property
    def _last(self) -> Value | None:
        return self.scope.outputs[0] if len(self.scope.outputs) == 1 else None

    def result(self) -> dict[str, Any]:
        """The `output` or `outputs`, where they are not the last value."""
        outputs = self.scope.outputs
        self.results.update(self.refs[value] for value in outputs if value in self.refs)
        self.referred.update(self.refs[value] for value in outputs if value in self.refs)
        if len(outputs) == 1:
            return {} if outputs[0] is self.before and not self.names_result else {"output": self.refs[outputs[0]]}
        return {"outputs": dict(zip(output_names(self.scope), [self.refs[value] for value in outputs], strict=True))}

    # -- one item

    def _item(self, step: Step, following: Step | None, last: Value | None) -> dict[str, Any]:
        name, data = self._runs(step)
        given = {**data, **self._from(step), **self._when(step)}
        if name is None or "call" in data:
            given |= self._as(step, following, last)
        self._refer(step, name if "call" not in data else None, given.get("as"))
        if step.train_only:
            given["train_only"] = True
        elif not is_raw(step):
            self.before = step.outputs[0] if len(step.outputs) == 1 and not _has_parts(step) else None
        order = ("op", "block", "call", "repeat", "from", "like", "when", "else", "as", "train_only")
        data = {key: given[key] for key in (*order, *(key for key in given if key not in order)) if key in given}
        return data if name is None or "call" in data else {name: data}

    def _runs(self, step: Step) -> tuple[str | None, dict[str, Any]]:
        """The name that an item registers, and what it runs."""
        if step.path is None or not self.is_own(step.path):
            assert isinstance(step, Call)
            return self._name_needed(step), self.use(step)
        name = self.relative(step.path)
        if name in self.registered:
            return None, {"call": name}
        self.registered.append(name)
        return name, self.use(step)

    def _name_needed(self, call: Call) -> str | None:
        """A name for an op that must be a module."""
        if OPS[call.op].has_function():
            return None
        return self.new_name("mask" if str(call.fields.get("values")).endswith("mask") else call.op)

    def new_name(self, kind: str) -> str:
        """A name for a value or list that nothing else has."""
        name, number = kind, 1
        while name in self.taken or name in FUNCTIONS:
            number += 1
            name = f"{kind}{number}"
        self.taken.add(name)
        return name

    def _from(self, step: Step) -> dict[str, Any]:
        given: dict[str, Any] = {}
        if step.inputs and (step.inputs != [self.before] or self.before is None):
            refs = [self.refs[value] for value in step.inputs]
            self.referred.update(refs)
            given["from"] = refs[0] if len(refs) == 1 else refs
        if isinstance(step, Call) and step.like is not None:
            given["like"] = self.refs[step.like]
            self.referred.add(given["like"])
        return given

    def _when(self, step: Step) -> dict[str, Any]:
        if step not in self.conditions:
            return {}
        flag, instead = self.conditions[step]
        otherwise = {} if instead in (self.before, None) else {"else": self.refs[instead]}
        return {"when": f"={flag}", **otherwise}

    def _as(self, step: Step, following: Step | None, last: Value | None) -> dict[str, Any]:
        """The name of a value that something reads which is not the next item."""
        kind = step.op if isinstance(step, Call) else self.relative(step.path).rpartition(".")[2]
        if _has_parts(step) or len(step.outputs) > 1:
            return {"as": self.new_name("parts")}
        value = step.outputs[0]
        plain = following is not None and following.inputs == [value] and not (step.train_only or following.train_only)
        times = self.used.get(value, 0)
        if times == 0 or (plain and times == 1):
            return {}
        if value is last and times == 1 and following is None and not step.train_only and not self.names_result:
            return {}
        return {"as": self.new_name(kind)}

    def _refer(self, step: Step, name: str | None, given: str | None) -> None:
        """Note how the values of an item are referred to."""
        ref = given or name
        if ref is None:
            return
        if isinstance(step, Scope) and len(step.outputs) > 1:
            for value, inner in zip(step.outputs, output_names(step), strict=True):
                self.refs[value] = f"{ref}.{inner}"
        elif _has_parts(step):
            self.refs.update({value: f"{ref}.{number}" for number, value in enumerate(step.outputs)})
        else:
            self.refs[step.outputs[0]] = ref


def is_raw(step: Step) -> bool:
    """Whether a step is a parameter or buffer."""
    return isinstance(step, Call) and OPS[step.op].raw


def _has_parts(step: Step) -> bool:
    return isinstance(step, Call) and step.has_parts


def _counts(scope: Scope) -> dict[Value, int]:
    """How often each value is read."""
    found: dict[Value, int] = {}
    for value in scope.values_read():
        found[value] = found.get(value, 0) + 1
    return found


def input_names(scope: Scope) -> list[str]:
    """The names of a block's inputs."""
    if len(scope.inputs) == 1:
        return ["input"]
    own = [name for name, times in Counter(scope.arguments).items() if times == 1 and _is_input_name(name)]
    others = (name for number in count(0) if (name := f"input{number}") not in own)
    return [name if name in own else next(others) for name in scope.arguments]


def _is_input_name(name: str) -> bool:
    is_taken = name in FUNCTIONS or name in MODULE_NAMES or iskeyword(name) or is_source_name(name, OPS)
    return name.isidentifier() and not name.startswith("__") and name != "self" and not is_taken


def output_names(scope: Scope) -> list[str]:
    """The names of a block's outputs, if it has several: the keys or fields under which it returns them."""
    places = {place: name for name, place in named_results(scope.returned).items()}
    names = [str(places.get(number)) for number in range(len(scope.outputs))]
    is_usable = len(places) == len(names) and all(name.isidentifier() and name not in FUNCTIONS for name in names)
    return names if is_usable else [f"out{number}" for number in range(len(names))]


def sequence(scope: Scope, use: Use, conditions: Mapping[Step, tuple[str, Value | None]]) -> list[dict[str, Any]]:
    """The items of an `nn.Sequential`."""
    names = [(step.path or "").rpartition(".")[2] for step in scope.steps]
    found = [{**use(step), **({"when": f"={conditions[step][0]}"} if step in conditions else {})}
             for step in scope.steps]  # fmt: skip
    if names == [str(number) for number in range(len(names))]:
        return found
    return [{name: item} for name, item in zip(names, found, strict=True)]
