"""The body of `forward`: sites as statements, chains nested, variables named and reused as a person would.

Statements follow the order in which the items run. A normalisation, activation or dropout is nested around
what it follows; parallel branches are nested into the `cat` that joins them; everything else is a line.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field, replace
from typing import Any

from archspec.backends.python.classes import ClassText
from archspec.backends.python.flow import Flow, is_concatenation, is_elementwise_join, part_count
from archspec.backends.python.instances import Irregular, Site, ValueId
from archspec.backends.python.layout import WIDTH, Call, Doc, flat, if_lines, lay_out
from archspec.expressions.sizes import tree_of
from archspec.frontend.field_types import source_names
from archspec.ir.graph import Module
from archspec.ops.base import ALL_INPUTS, Input, Unbatched
from archspec.passes.features import Collect

_OPERATORS = {"operator.add": "+", "operator.sub": "-", "operator.mul": "*", "operator.iadd": "+", "operator.isub": "-"}
_IN_PLACE = ("operator.iadd", "operator.isub")
_METHODS_OF = "Tensor."
_LONG = 24
"""A variable is not to have a longer name, if possible."""
_UNPACKED = 8
"""Several values are put in variables of their own if there are no more than this."""


@dataclass
class Statements:
    """The lines of a `forward`, indented by eight spaces."""

    lines: list[str] = field(default_factory=list)


def write_forward(text: ClassText, returns: str = "") -> Statements:
    """The body of a class's `forward`; `returns` is the class that holds a network's named outputs."""
    return _Forward(text, returns).write()


class _Forward:
    def __init__(self, text: ClassText, returns: str) -> None:
        assert text.body is not None
        self.text = text
        self.body = text.body
        self.sites = text.sites
        self.flow = Flow(text.body)
        self.uses = self.flow.uses
        self.returns = returns
        self.result = text.body.result
        self.output = Statements()
        self.indent = 8
        self.forced: dict[int, str] = {}
        """The variables that some values must be put in: those that leave a condition or a loop."""
        self.list_variables: dict[str, str] = {}
        self.lists: dict[str, tuple[ValueId, ...]] = {}
        """The lists that have been made, with the values they began with."""
        self.pending: dict[int, Doc] = {}
        """Values written as expressions that are still to be put into a statement."""
        self.waiting: set[int] = set()
        """Pending branches of a `cat` that is still to come."""
        self.variables: dict[int, str] = {}
        self.parts: dict[ValueId, str] = {}
        """The variables of values that were unpacked."""
        self.reads: dict[int, set[int]] = {}
        """The values in variables that each expression reads, through what is nested in it."""
        self.inputs = self._input_names()
        self.variables.update({-1 - number: name for number, name in enumerate(self.inputs)})
        self.numbered = self._numbered()

    def _numbered(self) -> dict[str, int]:
        """The numbers of an `nn.Sequential`'s entries, by their names: a type checker knows no others."""
        names = [str(site.name) for site in self.sites if site.name is not None] if self.text.is_sequential else []
        return {name: number for number, name in enumerate(names)}

    def _input_names(self) -> list[str]:
        return ["x" if name == "input" else name for name in self.body.definition.inputs]

    # -- statements -----------------------------------------------------------------------------------------

    def write(self) -> Statements:
        number = 0
        while number < len(self.sites):
            region = self.flow.region(number)
            if self.flow.is_statement(number):
                self.statement(number)
            elif self.sites[number].loop is not None:
                self.loop(region)
            else:
                self.condition(region)
            number = region.stop
        self.finish()
        return self.output

    def statement(self, number: int) -> None:
        site = self.sites[number]
        if isinstance(site.step.target, Collect):  # the return
            return
        unread = (
            number != self.result.site and not self.uses[number] and site.append is None and number not in self.forced
        )
        if number in self.flow.dead:
            return
        if site.is_raw and (site.guard is None or number + 1 != site.guard.sites.stop):
            self.variables[number] = f"self.{site.name}"
            return
        nested = self.nested_inputs(number, site)
        self.flush(keep=nested | (set() if is_concatenation(site) else self.waiting))
        self.waiting -= nested
        self.reads[number] = set().union(*(self.reads_of(value.site) for value in site.inputs))
        if self.is_augmented(number, site):
            self.augment(number, site)
            return
        self.pending[number] = self.expression(number, site)
        if site.append is not None and site.loop is not None:
            self.output.lines += lay_out(
                Call(f"{self.list_variables[site.append]}.append", (self.pending.pop(number),)), self.indent
            )
        elif unread:
            self.effect(number, site)
        elif not self.may_wait(number, site):
            self.assign(number)

    def effect(self, number: int, site: Site) -> None:
        """A site whose value nobody reads."""
        tests = ["self.training"] if site.node.train_only else []
        if self.flow.is_conditional(number):
            tests.append(f"{self.attribute(site)} is not None")
        if tests:
            self.output.lines += if_lines(tests, self.indent)
        self.emit("", self.pending.pop(number), number, self.indent + 4 * bool(tests))

    def is_augmented(self, number: int, site: Site) -> bool:
        """Whether a site is written as `x += y`: it overwrites a value that nobody else reads."""
        doc = self.text.functions.get(number)
        free = site.guard is None and site.loop is None and site.append is None and not site.node.train_only
        return free and isinstance(doc, Call) and doc.head in _IN_PLACE and number not in self.forced

    def augment(self, number: int, site: Site) -> None:
        left, right = site.inputs
        doc = self.text.functions[number]
        assert isinstance(doc, Call)
        name, other = self.read(left), self.take(right)
        self.variables[number] = name
        self.emit(f"{name} {_OPERATORS[doc.head]}= ", other, number, self.indent)

    # -- conditions and loops -------------------------------------------------------------------------------

    def condition(self, region: range) -> None:
        """Sites under one `if`; where it does not hold, another value takes the place of the last one's."""
        if all(number in self.flow.dead for number in region):
            return
        self.flush(keep=set())
        if region[-1] not in self.flow.dead and self.uses[region[-1]]:
            self.forced[region[-1]] = self.replaced(region)
        before, test = len(self.output.lines), self.test(region)
        self.output.lines += test
        self.inside(region)
        if len(self.output.lines) == before + len(test):  # nothing but parameters, which are read where they are used
            del self.output.lines[before:]

    def replaced(self, region: range) -> str:
        """The variable whose value the last site of a region replaces where the condition holds."""
        guard = self.sites[region[0]].guard
        assert guard is not None
        name = self.read(guard.otherwise)
        if self.flow.last_use(guard.otherwise.site) <= region[-1]:
            return name
        copy = self.unused("out")
        self.output.lines.append(f"{' ' * self.indent}{copy} = {name}")
        return copy

    def test(self, region: range) -> list[str]:
        """The `if` before a region: its modules are there, or the flag of its condition is set."""
        modules = [self.attribute(self.sites[n]) for n in region if self.sites[n].name is not None]
        tests = [f"{module} is not None" for module in modules] or [self.text.flags[id(self.sites[region[0]].guard)]]
        owners = {id(owner): owner for n in region if (owner := self.flow.owner(self.sites[n])) is not self.sites[n]}
        tests += [f"{self.attribute(owner)} is not None" for owner in owners.values() if owner.guard is not None]
        return if_lines(list(dict.fromkeys(tests)), self.indent)

    def inside(self, region: range) -> None:
        self.indent += 4
        for number in region:
            self.statement(number)
        self.flush(keep=set())
        self.indent -= 4

    def loop(self, region: range) -> None:
        """Sites of a loop over the modules, the only ones of their class."""
        self.flush(keep=set())
        owners = [number for number in region if self.sites[number].name is not None]
        others = [site for number, site in enumerate(self.sites) if site.name is not None and number not in owners]
        if len(owners) != 1 or others:
            raise Irregular("a loop beside other modules")
        self.start_lists(region)
        loop = self.sites[region[0]].loop
        carried = None if loop is None else loop.carried
        before = "" if carried is None else self.carry(carried, region)
        self.output.lines.append(f"{' ' * self.indent}for layer in self.children():")
        self.inside(region)
        if carried is not None:  # what was before the loop is again what it is called
            self.variables[carried.site] = before

    def start_lists(self, region: range) -> None:
        for site in (self.sites[number] for number in region):
            for name in site.lists:
                if self.lists.setdefault(name, site.inputs) != site.inputs:
                    raise Irregular("a list with two beginnings")
        for name, values in self.lists.items():
            variable = self.list_variables.setdefault(name, self.unused(_identifier(name)))
            begin = ", ".join(self.read(value) for value in values)
            self.output.lines.append(f"{' ' * self.indent}{variable} = [{begin}]")

    def carry(self, value: ValueId, region: range) -> str:
        """Make ready the value that each round replaces; what it is called before the loop."""
        if value.part is not None or self.sites[region[-1]].append is not None:
            raise Irregular("a loop that carries no single value")
        before = name = self.read(value)
        if self.flow.last_use(value.site) > region[0]:
            self.output.lines.append(f"{' ' * self.indent}out = {name}")
            self.variables[value.site] = name = "out"
        self.forced[region[-1]] = name
        return before

    def reads_of(self, value: int) -> set[int]:
        return self.reads[value] if value in self.pending else {value}

    def nested_inputs(self, number: int, site: Site) -> set[int]:
        """The pending values that go into this site's expression."""
        if site.node.train_only:
            return set()
        if self.flow.is_nested(site):
            return {value.site for value in site.inputs if value.site == number - 1}
        if site.append is not None and site.loop is not None:
            return {value.site for value in site.inputs}
        if is_concatenation(site):
            return self.branches(number, site)
        after_dropout = number > 0 and self.flow.role(self.sites[number - 1]) == "dropout"
        if self.flow.is_scaling(site) or (is_elementwise_join(site) and after_dropout):
            return {number - 1} & {value.site for value in site.inputs}
        return set()

    def branches(self, number: int, site: Site) -> set[int]:
        """The values a `cat` can hold as nested calls: all it takes, just made, in their order, each used once."""
        wanted = [value.site for value in site.inputs]
        recent = [value for value in wanted if value in self.pending]
        in_order = recent == sorted(recent) == list(self.pending)
        return set(recent) if in_order and all(self.uses[value] == 1 for value in wanted if value >= 0) else set()

    def flush(self, keep: set[int]) -> None:
        for number in [n for n in self.pending if n not in keep]:
            self.assign(number)

    def may_wait(self, number: int, site: Site) -> bool:
        """Whether a value's expression may stay open, to be nested into what reads it."""
        if number in self.forced or site.node.train_only or self.uses[number] != 1:
            return False
        if self.flow.is_conditional(number):
            return ValueId(number) == self.result and not self.returns and not any(self.flow.live(number + 1))
        if number == self.result.site:
            return True
        following = self.sites[number + 1] if number + 1 < len(self.sites) else None
        if following is None or (following.guard, following.loop) != (site.guard, site.loop):
            return site.guard is None and site.loop is None and self.feeds(number)
        if self.flow.is_nested(following) or (following.append is not None and following.loop is not None):
            return [value.site for value in following.inputs] == [number] and not following.lists
        if self.flow.is_scaling(following) or (is_elementwise_join(following) and self.flow.role(site) == "dropout"):
            return number in {value.site for value in following.inputs}
        return self.feeds(number)

    def feeds(self, number: int) -> bool:
        if self.feeds_cat(number):
            self.waiting.add(number)
        return number in self.waiting

    def feeds_cat(self, number: int) -> bool:
        """Whether a value is one of the branches of a `cat` with nothing else between."""
        for later in self.flow.live(number + 1):
            site = self.sites[later]
            if any(value.site == number for value in site.inputs):
                return self.holds_branches(later, site, number)
            if site.guard is not None or site.loop is not None or site.node.train_only or not self.is_branch(later):
                return False
        return False

    def holds_branches(self, number: int, site: Site, first: int) -> bool:
        """Whether a site is a `cat` of branches, and of all that runs from `first` on: nothing may change its turn."""
        if not is_concatenation(site) or site.guard is not None or site.loop is not None:
            return False
        taken = {value.site for value in site.inputs}
        branches = all(v < 0 or v in self.waiting or (v >= first and self.is_branch(v)) for v in taken)
        between = self.flow.live(first, number)
        return branches and all(self.uses[n] == 1 and (n in taken or self.flow.is_refined(n)) for n in between)

    def is_branch(self, number: int) -> bool:
        """Whether a site is one module called on values that have variables, or what refines the output of one."""
        site = self.sites[number]
        if site.name is None and site.calls is None:
            return False
        if self.flow.is_nested(site) and [value.site for value in site.inputs] == [number - 1]:
            return number - 1 in self.variables or (self.uses[number - 1] == 1 and self.is_branch(number - 1))
        return all(v.site in self.variables for v in site.inputs)

    def assign(self, number: int) -> None:
        """Write a pending value into a variable."""
        doc, site = self.pending.pop(number), self.sites[number]
        if 1 < part_count(site) <= _UNPACKED and self.unpack(number, site, doc):
            return
        name = self.forced.get(number) or self.variable(number, site)
        self.variables[number] = name
        self.emit(f"{name} = ", self.conditional(number, doc), number, self.indent)

    def unpack(self, number: int, site: Site, doc: Doc) -> bool:
        """Write several values into a variable each, unless that takes too long a line."""
        names = ["_"] * part_count(site)
        for part in sorted(self.flow.parts_read(number)):
            value = ValueId(number, part)
            names[part] = self.parts[value] = self.part_variable(value, site)
        targets, doc = ", ".join(names), self.conditional(number, doc)
        if len(targets) + len(flat(doc)) > WIDTH - self.indent - len(" = "):
            self.parts = {value: name for value, name in self.parts.items() if value.site != number}
            return False
        self.variables[number] = f"({targets})"
        self.emit(f"{targets} = ", doc, number, self.indent)
        return True

    def part_variable(self, value: ValueId, site: Site) -> str:
        """The name of a variable for one of several values: a feature's own, or `x2`."""
        feature = self.flow.collected.get(value)
        if feature is not None:
            return self.unused(_variable(feature))
        if self.flow.collected and isinstance(self.flow.owner(site).step.target, Module):  # a block's own result
            name = self.passing(value, site)
            if all(name != other for known, other in self.parts.items() if known.site == value.site):
                return name
        return self.unused(f"x{(value.part or 0) + 1}")

    def conditional(self, number: int, doc: Doc) -> Doc:
        """What is put in a variable: under a condition, `x if … else …`."""
        site = self.sites[number]
        if site.node.train_only:
            doc = f"{flat(doc)} if self.training else None"
        if not self.flow.is_conditional(number):
            return doc
        assert site.guard is not None
        return f"{self.read(site.guard.otherwise)} if {self.attribute(site)} is None else {flat(doc)}"

    def emit(self, prefix: str, doc: Doc, number: int, indent: int) -> None:
        self.output.lines += lay_out(doc, indent, prefix, comment=self.comment(number))

    def comment(self, number: int) -> str:
        """In the network itself, the shape of what a line computes."""
        if not self.text.variant.is_root:
            return ""
        shape: Any = self.sites[number].step.output if number >= 0 else self.body.hosts[0].module.inputs[0]
        if shape and isinstance(shape[0], tuple):
            return ""
        sizes = [self.size(size) for size in shape]
        return " × ".join(sizes if isinstance(shape, Unbatched) else ["N", *sizes])

    def size(self, size: int) -> str:
        """A size as an argument of the network's class, if it is one; else a number."""
        variant = self.text.variant
        tree = tree_of(size)
        return tree.id if isinstance(tree, ast.Name) and tree.id in variant.kept else str(int(size))

    def variable(self, number: int, site: Site) -> str:
        """A variable's name: one that has just become free, or the item's own."""
        feature = self.flow.collected.get(ValueId(number))
        if feature is not None:
            return self.unused(_variable(feature))
        name = _identifier(site.label)
        if site.node.train_only:
            return self.unused(name)
        if name in self.dying(number):
            return name
        if site.node.value is not None or part_count(site):
            return self.unused(name)
        return self.passing(ValueId(number), site)

    def passing(self, value: ValueId, site: Site) -> str:
        """The name of a variable that is not kept for long, if possible one of the usual."""
        number = value.site
        plain = [free for free in self.dying(number) if free in ("x", "out")]
        if plain:
            return plain[0]
        live = self.needed(number)
        if "x" not in live:
            return "x"
        brief = self.last_use(value) <= self.flow.end_of_next(number)
        if brief and "out" not in live:
            return "out"
        return self.unused(_identifier(site.label))

    def dying(self, number: int) -> list[str]:
        """The variables that a statement reads, and none behind it does."""
        read = [v for v in sorted(self.reads[number]) if v not in self.unpacked and self.dies(v, number)]
        parts = [name for value, name in self.parts.items()
                 if value.site in self.reads[number] and self.part_dies(value, number)]  # fmt: skip
        return [*(self.variables[v] for v in read), *parts]

    def needed(self, number: int) -> set[str]:
        """The variables that are read behind a statement."""
        whole = {name for v, name in self.variables.items() if v not in self.unpacked and not self.dies(v, number)}
        return whole | {name for value, name in self.parts.items() if not self.part_dies(value, number)}

    @property
    def unpacked(self) -> set[int]:
        """The sites whose values have a variable each."""
        return {value.site for value in self.parts}

    def last_use(self, value: ValueId) -> int:
        """The last site that reads a value, or a part of one."""
        return self.flow.last_use(value.site) if value.part is None else self.flow.last_parts.get(value, -1)

    def part_dies(self, value: ValueId, number: int) -> bool:
        """Whether a part of several values is not read after a statement."""
        return self.last_use(value) <= number and not any(value.site in self.reads[other] for other in self.pending)

    def dies(self, value: int, number: int) -> bool:
        """Whether a value is not read after a statement; what was nested into the statement counts with it."""
        return self.flow.last_use(value) <= number and not any(value in self.reads[other] for other in self.pending)

    def unused(self, name: str) -> str:
        taken = {*self.variables.values(), *self.parts.values()} | {
            "self",
            "x",
            "layer",
            self.returns,
            *source_names(),
            *self.list_variables.values(),
        }
        candidate, number = name, 2
        while candidate in taken:
            candidate, number = f"{name}{number}", number + 1
        return candidate

    def finish(self) -> None:
        if self.returns:
            self.flush(keep=set())
            self.named_outputs()
        elif self.result.site >= 0 and isinstance(self.sites[self.result.site].step.target, Collect):
            self.flush(keep=set())
            self.collected(self.sites[self.result.site])
        elif self.result.site in self.pending:
            self.flush(keep={self.result.site})
            doc = self.conditional(self.result.site, self.pending[self.result.site])
            self.emit("return ", doc, self.result.site, 8)
        else:
            self.flush(keep=set())
            self.output.lines.append(f"        return {self.read(self.result)}")

    def collected(self, site: Site) -> None:
        """Return several values: a network by their names, a block as a tuple."""
        assert isinstance(site.step.target, Collect)
        found = [self.read(value) for value in site.inputs]
        brackets = "()"
        if self.text.variant.is_root:
            brackets = "{}"
            found = [f'"{name}": {value}' for name, value in zip(site.step.target.names, found, strict=True)]
        line = f"        return {', '.join(found)}" if brackets == "()" else f"        return {{{', '.join(found)}}}"
        whole = Call("", tuple(found), explode=True, brackets=brackets)
        self.output.lines += [line] if len(line) <= WIDTH else lay_out(whole, 8, "return ")

    def named_outputs(self) -> None:
        values = ", ".join(self.read(value) for value in self.body.kept)
        self.output.lines.append("        if self.training:")
        self.output.lines.append(f"            return {self.returns}({values})")
        self.output.lines.append(f"        return {self.read(self.result)}")

    # -- expressions ----------------------------------------------------------------------------------------

    def expression(self, number: int, site: Site) -> Doc:
        if site.is_raw:
            return f"self.{site.name}"
        if site.name is not None or site.calls is not None:
            return self.call(site)
        return self.function(site, self.text.functions[number])

    def call(self, site: Site) -> Doc:
        if site.lists:
            raise Irregular("a module that takes a list")
        if site.loop is not None:
            return Call("layer", tuple(self.take(value) for value in site.inputs))
        return Call(self.attribute(site), tuple(self.take(value) for value in site.inputs))

    def attribute(self, site: Site) -> str:
        name = str(self.flow.owner(site).name)
        if name in self.numbered:
            return f"self[{self.numbered[name]}]"
        return f"self.{name}" if name.isidentifier() else f'self.get_submodule("{name}")'

    def function(self, site: Site, doc: Doc) -> Doc:
        assert isinstance(doc, Call)
        inputs = [] if site.lists else [self.take(value) for value in site.inputs]
        if doc.head in _OPERATORS:
            operator, right = _OPERATORS[doc.head], inputs[1]
            left = f"{self.operand(operator, inputs, 0)} {operator} "
            is_call = isinstance(right, Call) and right.brackets == "()"  # whose arguments may go on lines of their own
            if isinstance(right, Call) and is_call and not _is_operation(right):
                return replace(right, head=left + right.head)
            return left + self.operand(operator, inputs, 1)
        arguments: list[Doc] = []
        for argument in doc.arguments:
            if argument is ALL_INPUTS and site.lists:
                arguments.append(self.list_name(site))
            elif argument is ALL_INPUTS:
                arguments.append(Call("", tuple(inputs), brackets="[]"))
            else:
                arguments.append(inputs[argument.index] if isinstance(argument, Input) else argument)
        if doc.head.startswith(_METHODS_OF):
            text = flat(arguments[0])
            of = f"({text})" if _is_operation(arguments[0]) else text
            return Call(f"{of}.{doc.head.removeprefix(_METHODS_OF)}", tuple(arguments[1:]))
        return Call(doc.head, tuple(arguments))

    def list_name(self, site: Site) -> str:
        (name,) = site.lists if len(site.lists) == 1 else ("",)
        if self.lists.get(name) != site.inputs:
            raise Irregular("a list with another beginning")
        return self.list_variables[name]

    @staticmethod
    def operand(operator: str, inputs: list[Doc], index: int) -> str:
        """An operand of `+`, `-` or `*`, in parentheses where Python would read another order."""
        text = flat(inputs[index])
        tree = ast.parse(text, mode="eval").body
        if not isinstance(tree, ast.BinOp):
            return text
        inner, outer = isinstance(tree.op, ast.Mult), operator == "*"
        return f"({text})" if inner < outer or (index == 1 and inner == outer) else text

    def take(self, value: ValueId) -> Doc:
        """A value where it is read: its pending expression, or its variable."""
        if value.site in self.pending and value.part is None:
            return self.pending.pop(value.site)
        return self.read(value)

    def read(self, value: ValueId) -> str:
        if value.site in self.pending:
            self.assign(value.site)
        if value in self.parts:
            return self.parts[value]
        name = self.variables[value.site]
        return name if value.part is None else f"{name}[{value.part}]"


def _is_operation(doc: Doc) -> bool:
    """Whether an expression is a sum or product, which binds less than a call or an attribute."""
    return isinstance(ast.parse(flat(doc), mode="eval").body, ast.BinOp)


def _identifier(name: str) -> str:
    """A name as a variable's: `AuxLogits` is `aux_logits`."""
    cleaned = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", re.sub(r"\W", "_", name)).lower()
    return f"x{cleaned}" if cleaned[:1].isdigit() else cleaned


def _variable(feature: str) -> str:
    """The variable of a feature: `relu` for `0.relu`, `layer1_0_relu` for `layer1.0.relu`, the end of a long name."""
    words = feature.split(".")
    while len(words) > 1 and (words[0].isdigit() or len(".".join(words)) > _LONG):
        del words[0]
    return _identifier("_".join(words))
