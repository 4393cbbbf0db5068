"""The variables of a `forward`: which variable holds which value, and the names of new variables."""

from __future__ import annotations

import re
from keyword import kwlist

from archspec.backends.python.classes.class_source import ClassSource
from archspec.backends.python.forward.liveness import Liveness, part_count
from archspec.backends.python.forward.pending import Pending
from archspec.backends.python.instances.sites import ONE_OF_REST, NotMergeable, Site, ValueId
from archspec.diagnostics.budget import spend
from archspec.frontend.reserved_names import source_names
from archspec.ir.definition import Definition, input_names
from archspec.ir.module import names_of_parts

_LONG = 24
"""The longest name of a variable, if possible."""


def input_variables(definition: Definition) -> list[str]:
    """The names of a block's inputs in its `forward`."""
    return ["x" if name == "input" else name for name in definition.inputs]


class Variables:
    """The variables that have been assigned so far."""

    def __init__(self, text: ClassSource, liveness: Liveness, pending: Pending, returns: str) -> None:
        assert text.body is not None
        self.liveness = liveness
        self.pending = pending
        declared = input_variables(text.body.definition)
        counts = {len(instance.inputs) for instance in text.variant.instances}
        given = input_names(declared, max(counts))
        self.names = {-1 - number: _element(name) if "." in name else name for number, name in enumerate(given)}
        """The variable of each site's value; inputs have negative numbers."""
        self.rest = tuple(name for name in self.names.values() if "[" in name) if len(counts) == 1 else ()
        """The variable of the further inputs of a block with any number of inputs, if all instances have as many."""
        self.parts: dict[ValueId, str] = {}
        """The variables of values that were unpacked."""
        self.forced: dict[int, str] = {}
        """The required variables of values that leave a condition or a loop."""
        self.lists: dict[str, str] = {}
        """The variables of the lists that loops fill."""
        self.list_starts: dict[str, tuple[ValueId, ...]] = {}
        """The lists that exist already, with their initial values."""
        words = {"self", "x", "layer", returns, *kwlist, *source_names(text.variant.ops)}
        self._taken = words.union(name.removeprefix("*") for name in declared)
        """Names that new variables must not have."""
        self.entries: list[str] = []
        """The variables of loops over containers."""
        self.reserved: set[str] = set()
        """While a loop is written, the variable of a value from before the loop that is read after it."""

    def of(self, value: ValueId) -> str:
        """The variable that holds a value, or the part of one."""
        if value in self.parts:
            return self.parts[value]
        name = self.names[value.site]
        return name if value.part is None else f"{name}[{value.part}]"

    def of_list(self, site: Site) -> str:
        """The variable of the list that a site reads."""
        (name,) = site.lists if len(site.lists) == 1 else ("",)
        if self.list_starts.get(name) != site.inputs:
            raise NotMergeable("a list with another beginning")
        return self.lists[name]

    def begin_list(self, name: str, values: tuple[ValueId, ...]) -> None:
        """Record that a list is made with initial values; it gets a variable unless it has one."""
        if self.list_starts.setdefault(name, values) != values:
            raise NotMergeable("a list with two beginnings")
        if name not in self.lists:
            self.lists[name] = self.unused(_identifier(name))

    # -- names of new variables ---------------------------------------------------------------------------------

    def for_site(self, number: int, site: Site) -> str:
        """The name of a variable for a site: one that has just become free, or the item's own."""
        feature = self.liveness.collected.get(ValueId(number))
        if feature is not None:
            return self.unused(_variable(feature))
        name = _identifier(_label(site))
        if site.item.train_only:
            return self.unused(name)
        if name in self._dying(number):
            return name
        if site.item.value is not None or part_count(site):
            return self.unused(name)
        return self._passing(ValueId(number), site)

    def for_part(self, value: ValueId, site: Site) -> str:
        """The name of a variable for one of several values: a feature's own, or `x2`."""
        feature = self.liveness.collected.get(value)
        if feature is not None:
            return self.unused(_variable(feature))
        names = names_of_parts(self.liveness.owner(site).step.target)  # type: ignore[arg-type]
        if names and names[value.part or 0]:
            return self.unused(_variable(names[value.part or 0]))
        if names:  # a block's own result, after its features
            name = self._passing(value, site)
            if all(name != other for known, other in self.parts.items() if known.site == value.site):
                return name
        return self.unused(f"x{(value.part or 0) + 1}")

    def _passing(self, value: ValueId, site: Site) -> str:
        """The name of a short-lived variable, if possible one of the usual ones."""
        number = value.site
        plain = [free for free in self._dying(number) if free in ("x", "out")]
        if plain:
            return plain[0]
        live = self._needed(number)
        if "x" not in live:
            return "x"
        brief = self._last_use(value) <= self.liveness.end_of_next(number)
        if brief and "out" not in live and "out" not in self.liveness.collected.values():
            return "out"
        return self.unused(_identifier(_label(site)))

    def entry(self, name: str) -> str:
        """A variable for the entries of a container, in the rounds of a loop over them."""
        found = name if name == "layer" and name not in self.entries else self.unused(_identifier(name))
        self.entries.append(found)
        return found

    def one_of_rest(self) -> str:
        """A variable for the further input of a round, in a loop over all of them."""
        name = self.unused("value") if "x" in self.names.values() else "x"
        self.names[ONE_OF_REST.site] = name
        return name

    def unused(self, name: str) -> str:
        """A name that no variable has: `name`, or `name` followed by a number."""
        spend(1 + (len(self.names) + len(self.parts)) // 10)
        taken = {*self.names.values(), *self.parts.values(), *self.lists.values(), *self._taken, *self.reserved}
        taken.update(self.entries)
        candidate, number = name, 2
        while candidate in taken:
            candidate, number = f"{name}{number}", number + 1
        return candidate

    # -- how long a variable is needed --------------------------------------------------------------------------

    def _dying(self, number: int) -> list[str]:
        """The variables that a statement reads and no later one."""
        spend(len(self.pending.reads[number]))
        unpacked = self._unpacked
        read = [v for v in sorted(self.pending.reads[number]) if v not in unpacked and self._dies(v, number)]
        parts = [name for value, name in self.parts.items()
                 if value.site in self.pending.reads[number] and self._part_dies(value, number)]  # fmt: skip
        return [*(self.names[v] for v in read), *parts]

    def _needed(self, number: int) -> set[str]:
        """The variables that are read after a statement."""
        spend(1 + (len(self.names) + len(self.parts)) // 4)
        unpacked = self._unpacked
        whole = {name for v, name in self.names.items() if v not in unpacked and not self._dies(v, number)}
        parts = {name for value, name in self.parts.items() if not self._part_dies(value, number)}
        return whole | parts | self.reserved

    @property
    def _unpacked(self) -> set[int]:
        """The sites whose values have a variable each."""
        return {value.site for value in self.parts}

    def _last_use(self, value: ValueId) -> int:
        """The last site that reads a value, or a part of one."""
        return self.liveness.last_use(value.site) if value.part is None else self.liveness.last_parts.get(value, -1)

    def _part_dies(self, value: ValueId, number: int) -> bool:
        """Whether a part of several values is not read after a statement."""
        return self._last_use(value) <= number and not self.pending.is_read(value.site)

    def _dies(self, value: int, number: int) -> bool:
        """Whether a value is not read after a statement, which includes the expressions nested into it."""
        return self.liveness.last_use(value) <= number and not self.pending.is_read(value)


def _element(name: str) -> str:
    """One of the further inputs, `rest[0]` for `rest.0`."""
    return "{}[{}]".format(*name.split("."))


def _label(site: Site) -> str:
    """The name of a site; in a loop, without the number of the round."""
    name = "" if site.loop is None or site.item.name is None else re.sub(r"\{[^{}]*\}", "", site.item.name).strip("_.")
    return name or site.label


def _identifier(name: str) -> str:
    """A name as a variable's: `AuxLogits` is `aux_logits`."""
    cleaned = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", re.sub(r"\W", "_", name)).lower()
    return f"x{cleaned}" if cleaned[:1].isdigit() else cleaned


def _variable(feature: str) -> str:
    """The variable of a feature: `relu` for `0.relu`, `layer1_0_relu` for `layer1.0.relu`; long names are shortened."""
    words = feature.split(".")
    while len(words) > 1 and (words[0].isdigit() or len(".".join(words)) > _LONG):
        del words[0]
    return _identifier("_".join(words))
