"""The body of `forward`: sites as statements, chains nested, variables named and reused as a person would.

Statements follow the order in which the items run. A normalisation, activation or dropout is nested around the
expression it follows; parallel branches are nested into the `cat` that joins them; everything else is a line. This file
writes the conditions and loops around statements, and the `return`.
"""

from __future__ import annotations

from collections.abc import Iterable

from archspec.backends.python.classes.class_source import ClassSource
from archspec.backends.python.classes.containers import access
from archspec.backends.python.formatter import WIDTH, Bracketed, if_lines, lay_out
from archspec.backends.python.forward.liveness import Liveness
from archspec.backends.python.forward.statements import Statements
from archspec.backends.python.instances.sites import ONE_OF_REST, Loop, NotMergeable, Site, ValueId
from archspec.ir.graph import Outputs
from archspec.ops.collect import Collect


def write_forward(text: ClassSource, outputs: Outputs | None = None) -> list[str]:
    """The lines of a class's `forward`, indented by eight spaces; `outputs` is what a network returns, if several."""
    return _Forward(text, outputs).write()


class _Forward:
    def __init__(self, text: ClassSource, outputs: Outputs | None) -> None:
        assert text.body is not None
        self.text = text
        self.body = text.body
        self.sites = text.sites
        self.liveness = Liveness(text.body)
        self.outputs = outputs
        self.result = text.body.result
        self.statements = Statements(text, self.liveness, outputs)
        self.variables = self.statements.variables

    def write(self) -> list[str]:
        number = 0
        while number < len(self.sites):
            region = self.liveness.region(number)
            if self.liveness.is_statement(number):
                self.statements.write(number)
            elif self.sites[number].loop is not None:
                self._loop(region)
            else:
                self._condition(region)
            number = region.stop
        self._return()
        return self.statements.lines

    # -- conditions and loops -------------------------------------------------------------------------------

    def _condition(self, region: range) -> None:
        """Write sites under one `if`; if its condition is false, another value replaces that of the last site."""
        if all(number in self.liveness.dead for number in region):
            return
        self.statements.flush(keep=set())
        if region[-1] not in self.liveness.dead and self.liveness.uses[region[-1]]:
            self.variables.forced[region[-1]] = self._replaced(region)
        before, test = len(self.statements.lines), self._test(region)
        self.statements.lines += test
        self._inside(region)
        if len(self.statements.lines) == before + len(test):  # only parameters, which have no statements
            del self.statements.lines[before:]

    def _replaced(self, region: range) -> str:
        """The variable whose value the last site of a region replaces if the condition is true."""
        guard = self.sites[region[0]].guard
        assert guard is not None
        name = self.statements.read(guard.otherwise)
        if self.liveness.last_use(guard.otherwise.site) <= region[-1]:
            return name
        copy = self.variables.unused("out")
        self.statements.add_line(f"{copy} = {name}")
        return copy

    def _test(self, region: range) -> list[str]:
        """The `if` before a region: its modules are not `None`, or the flag of its condition is set."""
        tests = [self._presence_test(self.sites[n]) for n in region if self.sites[n].name is not None]
        tests = tests or [self.text.flags[id(self.sites[region[0]].guard)]]
        owners = {
            id(owner): owner for n in region if (owner := self.liveness.owner(self.sites[n])) is not self.sites[n]
        }
        tests += [self._presence_test(owner) for owner in owners.values() if owner.guard is not None]
        return if_lines(list(dict.fromkeys(tests)), self.statements.indent)

    def _presence_test(self, site: Site) -> str:
        return self.statements.expressions.presence_test(site)

    def _inside(self, region: range) -> None:
        self.statements.indent += 4
        for number in region:
            self.statements.write(number)
        self.statements.flush(keep=set())
        self.statements.indent -= 4

    def _loop(self, region: range) -> None:
        """Write the sites of a loop over modules, which must be the only modules of the class, or over containers."""
        self.statements.flush(keep=set())
        owners = [number for number in region if self.sites[number].name is not None]
        named = (n for n, site in enumerate(self.sites) if site.name is not None and not site.dropped)
        others = [self.sites[number] for number in named if number not in owners]
        loop = self.sites[region[0]].loop
        assert loop is not None
        if not loop.containers and (len(owners) != 1 or others):
            raise NotMergeable("a loop beside other modules")
        self._start_lists(region)
        carried = loop.carried
        before = "" if carried is None else self._carry(carried, region)
        self.statements.add_line(self._head(loop))
        self.variables.reserved = set() if carried is None or self.statements.read(carried) == before else {before}
        self._inside(region)
        self.variables.reserved = set()
        if carried is not None:  # from here on the value from before the loop has its own variable again
            self.variables.names[carried.site] = before

    def _head(self, loop: Loop) -> str:
        """The line that begins a loop over all modules, or over the entries of containers, and perhaps over the further
        inputs of a block as well."""
        rounds = self.statements.expressions.rounds
        for name in loop.containers:
            rounds[name] = self.variables.entry(_entry_of(name))
        over = {rounds[name]: access(name, self.text.containers) for name in loop.containers} or {
            "layer": "self.children()"
        }
        if any(ONE_OF_REST in self.sites[number].inputs for number in loop.sites):
            over[self.variables.one_of_rest()] = self.body.definition.inputs[-1].removeprefix("*")
        together = ", ".join(over.values())
        return f"for {', '.join(over)} in {together if len(over) == 1 else f'zip({together}, strict=True)'}:"

    def _start_lists(self, region: range) -> None:
        """Write the lists that a loop fills, whose beginnings their readers know; these may stand behind the loop."""
        begun = {*self.variables.list_starts}
        filled = {site.append for site in (self.sites[number] for number in region)}
        readers = [site for number, site in enumerate(self.sites) if number in region or filled & {*site.lists}]
        for site in readers:
            if site.lists and any(value.site >= region.start for value in site.inputs):
                raise NotMergeable("a list that begins with a later value")
            for name in site.lists:
                self.variables.begin_list(name, site.inputs)
        if not filled <= {None, *self.variables.lists}:
            raise NotMergeable("a list that nothing reads")
        for name, values in self.variables.list_starts.items():
            if name not in begun:
                begin = ", ".join(self.statements.read(value) for value in values)
                self.statements.add_line(f"{self.variables.lists[name]} = [{begin}]")

    def _carry(self, value: ValueId, region: range) -> str:
        """Prepare the variable of the value that each round replaces; returns its name before the loop."""
        if value.part is not None or self.sites[region[-1]].append is not None:
            raise NotMergeable("a loop that carries no single value")
        if value.site in self.liveness.dead:
            raise NotMergeable("a loop that carries what it does not read")
        before = name = self.statements.read(value)
        if self.liveness.last_use(value.site) > region[0]:
            self.statements.add_line(f"out = {name}")
            self.variables.names[value.site] = name = "out"
        self.variables.forced[region[-1]] = name
        return before

    # -- what is returned -----------------------------------------------------------------------------------

    def _return(self) -> None:
        if self.outputs is not None and not self.outputs.always:
            self.statements.flush(keep=set())
            self._in_training(self.outputs)
        elif self.result.site >= 0 and isinstance(self.sites[self.result.site].step.target, Collect):
            self.statements.flush(keep=set())
            values = self.sites[self.result.site].inputs
            self._several(self.outputs or Outputs("tuple", {}), values, 8)
        elif self.result.site in self.statements.pending:
            self.statements.flush(keep={self.result.site})
            code = self.statements.conditional(self.result.site, self.statements.pending.code[self.result.site])
            self.statements.emit("return ", code, self.result.site, 8)
        else:
            self.statements.flush(keep=set())
            self.statements.lines.append(f"        return {self.statements.read(self.result)}")

    def _in_training(self, outputs: Outputs) -> None:
        """Write the return of several values in training, and of the result in evaluation."""
        self.statements.lines.append("        if self.training:")
        self._several(outputs, self.body.kept, 12)
        self.statements.lines.append(f"        return {self.statements.read(self.result)}")

    def _several(self, outputs: Outputs, values: Iterable[ValueId], indent: int) -> None:
        """Write the return of several values, in a container of their type."""
        found = [self.statements.read(value) for value in values]
        brackets = {"dict": "{}", "list": "[]"}.get(outputs.type, "()")
        if outputs.type == "dict":
            found = [f'"{name}": {value}' for name, value in zip(outputs.fields, found, strict=True)]
        inside = ", ".join(found)
        text = f"{outputs.record}{brackets[0]}{inside}{brackets[1]}"
        if outputs.type == "tuple":
            text = inside if len(found) > 1 else f"({inside},)"
        line = f"{' ' * indent}return {text}"
        whole = Bracketed(outputs.record, tuple(found), explode=True, brackets=brackets)
        self.statements.lines += [line] if len(line) <= WIDTH else lay_out(whole, indent, "return ")


def _entry_of(container: str) -> str:
    """The name of an entry of a container: `conv` for `convs`."""
    name = container.rpartition(".")[2]
    return name[:-1] if name.isidentifier() and len(name) > 2 and name.endswith("s") and name[-2] != "s" else "layer"
