"""The statements of a `forward`, site by site: chains are nested, other values are assigned to variables."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

from archspec.backends.python.classes.class_source import ClassSource
from archspec.backends.python.classes.containers import read_attribute
from archspec.backends.python.formatter import WIDTH, Bracketed, Code, flat, if_lines, lay_out
from archspec.backends.python.forward.inlining import Inlining
from archspec.backends.python.forward.liveness import Liveness, is_concatenation, part_count
from archspec.backends.python.forward.pending import Pending
from archspec.backends.python.forward.site_expressions import IN_PLACE, OPERATORS, SiteExpressions
from archspec.backends.python.forward.variables import Variables
from archspec.backends.python.instances.sites import Site, ValueId
from archspec.expressions.sizes import tree_of
from archspec.ir.graph import Outputs
from archspec.ops.collect import Collect
from archspec.ops.shapes import Shape, Unbatched, samples

_LONG = 40
"""The space that may be needed before an expression on its line."""

_UNPACKED = 8
"""Several values are unpacked into separate variables if there are no more than this."""


class Statements:
    """The lines written so far, and the state that the next ones depend on."""

    def __init__(self, text: ClassSource, liveness: Liveness, outputs: Outputs | None) -> None:
        assert text.body is not None
        self.text = text
        self.sites = text.sites
        self.result = text.body.result
        self.liveness = liveness
        self.lines: list[str] = []
        self.indent = 8
        self.pending = Pending()
        self.variables = Variables(text, liveness, self.pending, "" if outputs is None else outputs.record)
        in_training = outputs is not None and not outputs.always
        self.inlining = Inlining(text.body, liveness, self.pending, self.variables, in_training)
        self.expressions = SiteExpressions(text, liveness)
        self.expressions.rest = self.variables.rest

    def add_line(self, text: str) -> None:
        """Write a line."""
        self.lines.append(f"{' ' * self.indent}{text}")

    def write(self, number: int) -> None:
        """Write site `number`, or keep it pending as an expression."""
        site = self.sites[number]
        if isinstance(site.step.target, Collect) or number in self.liveness.dead:  # the return, or nothing
            return
        if site.is_raw and (site.guard is None or number + 1 != site.guard.sites.stop):
            self.variables.names[number] = read_attribute(str(site.name))
            return
        nested = self.inlining.nested_inputs(number, site)
        self.flush(keep=nested | (set() if is_concatenation(site) else self.pending.branches))
        self.pending.branches -= nested
        self.pending.reads[number] = set().union(*(self.pending.reads_of(value.site) for value in site.inputs))
        if self._is_augmented(number, site):
            self._augment(number, site)
        else:
            self._express(number, site)

    def _express(self, number: int, site: Site) -> None:
        """Write a site's expression into its statement, unless it stays pending."""
        inputs = [] if site.is_raw or site.lists else [self.take(value) for value in site.inputs]
        listed = self.variables.of_list(site) if site.lists and number in self.text.functions else ""
        self.pending.code[number] = self.expressions.of(number, site, inputs, listed)
        read = number == self.result.site or self.liveness.uses[number] or number in self.variables.forced
        if site.append is not None and site.loop is not None:
            call = Bracketed(f"{self.variables.lists[site.append]}.append", (self.pending.code.pop(number),))
            self.lines += lay_out(call, self.indent)
        elif not read and site.append is None:
            self._effect(number, site)
        elif not self.inlining.may_wait(number, site):
            self._assign(number)

    def _effect(self, number: int, site: Site) -> None:
        """Write a site whose value is never read."""
        tests = ["self.training"] if site.item.train_only else []
        if self.liveness.is_conditional(number):
            tests.append(self.expressions.presence_test(site))
        if tests:
            self.lines += if_lines(tests, self.indent)
        code = self.pending.code.pop(number)
        code = replace(code, suffix="") if isinstance(code, Bracketed) else code
        self.emit("", code, number, self.indent + 4 * bool(tests))

    def _is_augmented(self, number: int, site: Site) -> bool:
        """Whether a site is written as `x += y`: it overwrites a value that no other site reads."""
        code = self.text.functions.get(number)
        free = site.guard is None and site.loop is None and site.append is None and not site.item.train_only
        return free and isinstance(code, Bracketed) and code.head in IN_PLACE and number not in self.variables.forced

    def _augment(self, number: int, site: Site) -> None:
        """Write `x += y`."""
        left, right = site.inputs
        code = self.text.functions[number]
        assert isinstance(code, Bracketed)
        name, other = self.read(left), self.take(right)
        self.variables.names[number] = name
        self.emit(f"{name} {OPERATORS[code.head]}= ", other, number, self.indent)

    def _assign(self, number: int) -> None:
        """Assign a pending value to a variable."""
        code, site = self.pending.code.pop(number), self.sites[number]
        if 1 < part_count(site) <= _UNPACKED and self._unpack(number, site, code):
            return
        one = part_count(site) == 1 and not self.liveness.is_conditional(number)
        if one and site.item.train_only and isinstance(code, Bracketed):
            self._take_out(number, site, code)
            return
        name = self.variables.forced.get(number) or self.variables.for_site(number, site)
        self.variables.names[number] = name
        self.emit(f"{name} = ", self.conditional(number, code), number, self.indent)

    def _unpack(self, number: int, site: Site, code: Code) -> bool:
        """Unpack several values into variables, unless the line would be too long."""
        names = ["_"] * part_count(site)
        for part in sorted(self.liveness.parts_read(number)):
            value = ValueId(number, part)
            names[part] = self.variables.parts[value] = self.variables.for_part(value, site)
        targets, code = ", ".join(names), self.conditional(number, code, len(names))
        if len(targets) + len(flat(code)) > WIDTH - self.indent - len(" = "):
            self.variables.parts = {value: name for value, name in self.variables.parts.items() if value.site != number}
            return False
        self.variables.names[number] = f"({targets})"
        self.emit(f"{targets} = ", code, number, self.indent)
        return True

    def _take_out(self, number: int, site: Site, code: Bracketed) -> None:
        """Assign the only one of several values: outside training it is `None`, which has no index."""
        name = self.variables.for_site(number, site)
        self.variables.names[number], self.variables.parts[ValueId(number, 0)] = f"({name},)", name
        taken = replace(code, suffix=f"{code.suffix}[0]")
        self.emit(f"{name} = ", self.conditional(number, taken), number, self.indent)

    def conditional(self, number: int, code: Code, unpacked: int = 0) -> Code:
        """The value of an assignment to one variable or `unpacked` ones: with a condition, `x if … else …`."""
        site = self.sites[number]
        if site.item.train_only:
            parts = unpacked or part_count(site)
            nothing = f"({', '.join(['None'] * parts)})" if parts > 1 else "None"
            code = f"{flat(code)} if self.training else {nothing}"
        if not self.liveness.is_conditional(number):
            return code
        assert site.guard is not None
        absent = self.expressions.presence_test(site).replace(" is not None", " is None")
        text = f"{self.read(site.guard.otherwise)} if {absent} else {flat(code)}"
        return text if len(text) < WIDTH - _LONG else ast.parse(text, mode="eval").body  # to be broken into lines

    def emit(self, prefix: str, code: Code, number: int, indent: int) -> None:
        """Write a statement about site `number`."""
        self.lines += lay_out(code, indent, prefix, comment=self._comment(number))

    def _comment(self, number: int) -> str:
        """The comment of a line in the network's own class: the shape of its value."""
        if not self.text.variant.is_root:
            return ""
        shape: Any = self.sites[number].step.output
        if shape and isinstance(shape[0], tuple):
            return ""
        sizes = [self._size(size) for size in shape]
        return " × ".join(sizes if isinstance(shape, Unbatched) else [_batch(shape), *sizes])

    def _size(self, size: int) -> str:
        """A size as the name of an argument of the network's class, if it is one; otherwise a number."""
        variant = self.text.variant
        tree = tree_of(size)
        return tree.id if isinstance(tree, ast.Name) and tree.id in variant.kept else str(int(size))

    def flush(self, keep: set[int]) -> None:
        """Assign pending values to variables, except those in `keep`."""
        for number in [n for n in self.pending.code if n not in keep]:
            self._assign(number)

    def take(self, value: ValueId) -> Code:
        """The code that reads a value: its pending expression, or its variable."""
        if value.site in self.pending and value.part is None:
            return self.pending.code.pop(value.site)
        return self.read(value)

    def read(self, value: ValueId) -> str:
        """The variable of a value that is read, which is assigned now if it is pending."""
        if value.site in self.pending:
            self._assign(value.site)
        return self.variables.of(value)


def _batch(shape: Shape) -> str:
    """The size of a batch: `N` samples, or as many times more as it holds parts of each."""
    parts = samples(shape)
    return "N" if parts == 1 else f"{parts}N"
