"""The values of one body: the steps that produce them, their names, and references to them."""

from __future__ import annotations

import re
from typing import Final

from archspec.diagnostics.budget import spend
from archspec.diagnostics.diagnostic import Path
from archspec.diagnostics.suggestions import nearest
from archspec.frontend.model.item import Item
from archspec.ir.module import Module, Ref, Step, names_of_parts
from archspec.ops import Ops
from archspec.ops.base import Op
from archspec.ops.shapes import Value, is_parts
from archspec.passes.specialize.bindings import Bindings
from archspec.passes.specialize.errors import BodyErrors
from archspec.passes.specialize.naming import is_raw
from archspec.passes.specialize.scope import bind_value
from archspec.passes.unknown import UNKNOWN, Unknown

Operand = tuple[Ref, Value | Unknown]
"""A reference to a value, and the value's shape."""

NO_OPERAND: Final[Operand] = (Ref(-1), UNKNOWN)
"""The operand of a reference that could not be resolved because of an error."""


class ValueTable:
    """The values of one body (a network, block or seq). References to them are resolved only here."""

    def __init__(self, inputs: dict[str, Value], ops: Ops, bindings: Bindings, errors: BodyErrors) -> None:
        self.inputs = inputs
        self.where = errors.where
        self.steps: list[Step] = []
        self.names: dict[str, Operand] = {name: (Ref(-1 - n), value) for n, (name, value) in enumerate(inputs.items())}
        self.previous: Operand = next(iter(self.names.values()))
        self.modules: dict[str, int | Unknown] = {}
        """The steps of modules, by the names under which they are registered."""
        self.containers: set[str] = set()
        """The names of the containers that modules are registered in."""
        self.absent: list[str] = []
        """The names of modules that a condition has left out, as patterns: parts in braces match anything."""
        self.gone: list[str] = []
        """The names of values that were left out with the group around them; parts in braces are anything."""
        self.lists: dict[str, list[Operand]] = {}
        """The lists that items append to."""
        self.begun: dict[int, list[Item]] = {}
        """The items of this body and of the groups in it, by identity, since a group may be repeated."""
        self.current: tuple[Item, str | None, list[Operand]] | None = None
        """The item that is being built, with the name it is registered under, and its operands."""
        self.target: Op | int | None = None
        """What the current item runs: an op, or the number of the step whose module runs again."""
        self._ops = ops
        self._bindings = bindings
        self._errors = errors

    def name(self, name: str, operand: Operand) -> None:
        """Give a value a name, under which expressions can read its shape."""
        self.names[name] = operand
        bind_value(self._bindings.scope, name, operand[1])

    def begin_rest(self, name: str, fixed: int) -> None:
        """Make the list of the inputs after the first `fixed`, which have names of their own."""
        self.lists[name] = [*self.names.values()][fixed:]

    def register(self, name: str, number: int | Unknown) -> None:
        """Record the module of a step under its name."""
        self.modules[name] = number
        if "." in name:
            self.containers.update(_around(name))

    def may_be_registered(self, name: str) -> bool:
        """Whether a module or container has this name, or would have it if its condition were true."""
        spend(len(self.absent))
        absent = any(re.fullmatch(_pattern(template), name) for template in self.absent)
        return absent or name in self.modules or name in self.containers

    def begins_name(self, first: str) -> bool:
        """Whether a module or container has this name before a dot, or would have it if its condition were true."""
        spend(len(self.absent))
        names = (*self.modules, *self.containers)
        absent = any(re.fullmatch(_pattern(template.partition(".")[0]), first) for template in self.absent)
        return absent or any(name.partition(".")[0] == first for name in names)

    def is_gone(self, name: str) -> bool:
        """Whether a name would stand for a value if no condition had left out the group that its item is in."""
        base = name.partition(".")[0]
        known = name in self.names or base in self.names or base in self.lists
        return not known and any(re.fullmatch(_pattern(template), found) for template in self.gone
                                 for found in (name, base))  # fmt: skip

    def registered_as(self, name: str) -> list[int]:
        """The steps of the module of that name, or of the modules in the container of that name."""
        found = [self.modules.get(name)]
        if name in self.containers:
            spend(len(self.modules))
            found = [number for entry, number in self.modules.items() if entry.startswith(f"{name}.")]
        return [number for number in found if isinstance(number, int)]

    def is_taken(self, name: str) -> bool:
        """Whether no module can be registered under a name."""
        if name in self.modules or name in self.containers:
            return True
        return "." in name and any(part in self.modules for part in _around(name))

    def settle(self, item: Item, label: str | None, operand: Operand) -> None:
        """Name the value of an item; it is the input of the next item, unless it exists in training only."""
        if label is not None:
            self.name(label, operand)
        if item.append is not None:
            # A seq has no lists, but an item of a seq that could not be read may still have `append`.
            found = self.lists.setdefault(item.append, [])
            bind_value(self._bindings.scope, f"{item.append}.{len(found)}", operand[1])
            found.append(operand)
        if not item.train_only and not is_raw(item, self._ops):
            self.previous = operand

    def operands(self, item: Item, path: Path) -> list[Operand]:
        """The inputs of an item: those it names, or the value before it, then the one it is like."""
        if is_raw(item, self._ops):
            return []
        found = self._taken(item, path)
        return found if item.like is None else [*found, self.lasting(item.like, (*path, "like"), item.train_only)]

    def _taken(self, item: Item, path: Path) -> list[Operand]:
        if item.from_ is None:
            return [self.previous]
        single = len(item.from_) == 1
        paths = [(*path, "from") if single else (*path, "from", i) for i in range(len(item.from_))]
        found: list[Operand] = []
        for name, place in zip(item.from_, paths, strict=True):
            spend(len(self.lists.get(name, ())))
            found += self.lists[name] if name in self.lists else [self.lasting(name, place, item.train_only)]
        return found

    def lasting(self, name: str, path: Path, train_only: bool = False, in_item: bool = True) -> Operand:
        """The value of a name. It must exist in evaluation, unless its reader is itself `train_only`."""
        found = self.reference(name, path, in_item)
        if train_only or found[0].step < 0 or not self.steps[found[0].step].train_only:
            return found
        help = "train_only items can use it, and with when: training a network's outputs after the first"
        self._errors.report("reference", f"'{name}' is train_only: it has no value in evaluation", path, help=help)
        return self._no_operand()

    def reference(self, name: str, path: Path, in_item: bool = True) -> Operand:
        """The value of a name: `conv1`, `input`, or a part of several, `halves.0`."""
        whole = self._bindings.fill(name, path, declares=False)
        if whole is UNKNOWN:
            return NO_OPERAND
        if whole in self.names:
            return self.names[whole]
        base, _, part = whole.rpartition(".")
        if base in self.lists:
            return self._of_list(base, part, path)
        if base in self.names:
            return self._part(base, part, path)
        if self._errors.has_gaps:
            return NO_OPERAND
        self._report_unknown(whole, path, in_item)
        return self._no_operand()

    def whole(self, name: str) -> Operand | None:
        """The value of a name without expressions; if the name is that of a part, all parts."""
        base, _, part = name.rpartition(".")
        if base in self.lists and part.isdecimal():
            return next(iter(self.lists[base][int(part) :]), None)
        return self.names.get(name) or self.names.get(base)

    def _report_unknown(self, whole: str, path: Path, in_item: bool) -> None:
        """Report an unknown name: that of an entry of a container, or otherwise its first part."""
        first = whole.partition(".")[0]
        name = whole if first in self.containers else first
        later = f"'{name}' is defined later: an item can only use values defined before it"
        help = later if in_item and self._is_named_later(name) else nearest(name, self.names)
        if name in self.containers:
            help = f"it is a container: name one of its entries, '{self._entry_of(name)}'"
        self._errors.report("reference", f"unknown value '{name}'", path, word=name, help=help)

    def _of_list(self, name: str, number: str, path: Path) -> Operand:
        """A value of a list, by its number."""
        found = self.lists[name]
        if number.isdecimal() and int(number) < len(found):
            return found[int(number)]
        if not self._errors.has_gaps:
            help = f"its values are {name}.0 to {name}.{len(found) - 1}" if found else "it has no values yet"
            self._errors.report("reference", f"the list '{name}' has no value '{number}'", path, help=help)
        return self._no_operand()

    def _entry_of(self, container: str) -> str:
        """A value in a container."""
        return next((name for name in self.names if name.startswith(f"{container}.")), f"{container}.0")

    def _part(self, base: str, part: str, path: Path) -> Operand:
        ref, value = self.names[base]
        if value is UNKNOWN:
            return ref, UNKNOWN
        names = self.names_of_parts(ref)
        number = names.index(part) if part in names else int(part) if part.isdecimal() else len(value)
        if is_parts(value) and number < len(value):
            return Ref(ref.step, number), value[number]  # type: ignore[return-value]
        help = f"its parts are {base}.0 to {base}.{len(value) - 1}" if is_parts(value) else "it is a single tensor"
        help = f"its parts are {', '.join(f'{base}.{name}' for name in names)}" if names else help
        self._errors.report("reference", f"'{base}' has no part '{part}'", path, help=help)
        return self._no_operand()

    def names_of_parts(self, ref: Ref) -> tuple[str, ...]:
        """The names of the several values that a step returns, if they have names."""
        target: Op | Module | int = ref.step
        while isinstance(target, int):
            if target < 0:
                return ()
            target = self.steps[target].target
        return () if ref.part is not None else names_of_parts(target)

    def _no_operand(self) -> Operand:
        self._errors.failed = True
        return NO_OPERAND

    def _is_named_later(self, name: str) -> bool:
        spend(sum(map(len, self.begun.values())))
        return any(name in (item.as_, item.name) for items in self.begun.values() for item in items)

    def shape_of(self, ref: Ref) -> Value:
        """The shape of a known value."""
        whole: Value = list(self.inputs.values())[-1 - ref.step] if ref.step < 0 else self.steps[ref.step].output
        return whole if ref.part is None else whole[ref.part]  # type: ignore[return-value]

    def title(self, ref: Ref) -> str:
        """The name of a value in messages."""
        return list(self.inputs)[-1 - ref.step] if ref.step < 0 else self.steps[ref.step].label

    def dotted(self, name: str) -> str:
        """The full name of a module of this body: `layer1.0.conv1`."""
        return f"{self.where}.{name}" if self.where else name


def _around(name: str) -> list[str]:
    """The names of the containers around an entry: `a` and `a.b` for `a.b.c`.

    >>> _around("a.b.c")
    ['a', 'a.b']
    """
    if "." not in name:
        return []
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _pattern(template: str) -> str:
    """A pattern for the names that a template can become."""
    parts = re.split(r"(\{[^{}]*\})", template)
    return "".join(r"[^.]+" if part.startswith("{") else re.escape(part) for part in parts)
