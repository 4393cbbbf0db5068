"""The body of `forward`: nodes as statements, chains nested, variables named and reused as a person would.

Statements follow the order in which the items run. A normalisation, activation or dropout is nested around
what it follows; parallel branches are nested into the `cat` that joins them; everything else is a line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from archspec.fields import source_names
from archspec.ops.base import ALL_INPUTS, Input, Unbatched
from archspec.targets.python.classes import ClassText
from archspec.targets.python.flow import Flow, is_op, part_count
from archspec.targets.python.layout import Call, Doc, flat, if_lines, lay_out
from archspec.targets.python.nodes import Irregular, Node, ValueId, step_is_raw

_OPERATORS = {"operator.add": "+", "operator.sub": "-", "operator.mul": "*", "operator.iadd": "+", "operator.isub": "-"}
_IN_PLACE = ("operator.iadd", "operator.isub")
_METHODS_OF = "Tensor."
_UNPACKED = 8
"""Several values are put in variables of their own if there are no more than this."""


@dataclass
class Statements:
    """The lines of a `forward`, indented by eight spaces."""

    lines: list[str] = field(default_factory=list)


def write_forward(text: ClassText, kept: dict[str, ValueId], returns: str = "") -> Statements:
    """The body of a class's `forward`. `kept` are a network's named outputs, `returns` the class that holds them."""
    return _Forward(text, kept, returns).write()


class _Forward:
    def __init__(self, text: ClassText, kept: dict[str, ValueId], returns: str) -> None:
        assert text.naming is not None
        self.text = text
        self.naming = text.naming
        self.nodes = text.nodes
        self.flow = Flow(text.naming, kept.values())
        self.uses = self.flow.uses
        self.kept = kept
        self.returns = returns
        self.result = text.naming.result
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

    def _input_names(self) -> list[str]:
        return ["x" if name == "input" else name for name in self.naming.inputs_of_body]

    # -- statements -----------------------------------------------------------------------------------------

    def write(self) -> Statements:
        number = 0
        while number < len(self.nodes):
            region = self.flow.region(number)
            if self.flow.is_statement(number):
                self.statement(number)
            elif self.nodes[number].loop is not None:
                self.loop(region)
            else:
                self.condition(region)
            number = region.stop
        self.finish()
        return self.output

    def statement(self, number: int) -> None:
        node = self.nodes[number]
        unread = number != self.result.node and not self.uses[number] and node.append is None
        if number in self.flow.dead:
            return
        if step_is_raw(node.step):
            self.variables[number] = f"self.{node.name}"
            return
        nested = self.nested_inputs(number, node)
        self.flush(keep=nested | (set() if is_op(node, "cat") else self.waiting))
        self.waiting -= nested
        self.reads[number] = set().union(*(self.reads_of(value.node) for value in node.inputs))
        if self.is_augmented(number, node):
            self.augment(number, node)
            return
        self.pending[number] = self.expression(number, node)
        if node.append is not None and node.loop is not None:
            self.output.lines += lay_out(
                Call(f"{self.list_variables[node.append]}.append", (self.pending.pop(number),)), self.indent
            )
        elif unread:
            self.emit("", self.pending.pop(number), number, self.indent)
        elif not self.may_wait(number, node):
            self.assign(number)

    def is_augmented(self, number: int, node: Node) -> bool:
        """Whether a node is written as `x += y`: it overwrites a value that nobody else reads."""
        doc = self.text.functions.get(number)
        free = node.guard is None and node.loop is None and node.append is None and not node.item.train_only
        return free and isinstance(doc, Call) and doc.head in _IN_PLACE and number not in self.forced

    def augment(self, number: int, node: Node) -> None:
        left, right = node.inputs
        doc = self.text.functions[number]
        assert isinstance(doc, Call)
        name, other = self.read(left), self.take(right)
        self.variables[number] = name
        self.emit(f"{name} {_OPERATORS[doc.head]}= ", other, number, self.indent)

    # -- conditions and loops -------------------------------------------------------------------------------

    def condition(self, region: range) -> None:
        """Nodes under one `if`; where it does not hold, another value takes the place of the last one's."""
        self.flush(keep=set())
        guard = self.nodes[region[0]].guard
        assert guard is not None
        name = self.read(guard.otherwise)
        if self.flow.last_use(guard.otherwise.node) > region[-1]:
            copy = self.unused("out")
            self.output.lines.append(f"{' ' * self.indent}{copy} = {name}")
            name = copy
        self.output.lines += self.test(region)
        self.forced[region[-1]] = name
        self.inside(region)

    def test(self, region: range) -> list[str]:
        """The `if` before a region: its modules are there, or the flag of its condition is set."""
        modules = [self.attribute(self.nodes[n]) for n in region if self.nodes[n].name is not None]
        tests = [f"{module} is not None" for module in modules] or [self.text.flags[id(self.nodes[region[0]].guard)]]
        return if_lines(tests, self.indent)

    def inside(self, region: range) -> None:
        self.indent += 4
        for number in region:
            self.statement(number)
        self.flush(keep=set())
        self.indent -= 4

    def loop(self, region: range) -> None:
        """Nodes of a loop over the modules, the only ones of their class."""
        self.flush(keep=set())
        owners = [number for number in region if self.nodes[number].name is not None]
        others = [node for number, node in enumerate(self.nodes) if node.name is not None and number not in owners]
        if len(owners) != 1 or others:
            raise Irregular("a loop beside other modules")
        self.start_lists(region)
        first = self.nodes[region[0]]
        if not first.lists:
            self.carry(first, region)
        self.output.lines.append(f"{' ' * self.indent}for layer in self.children():")
        self.inside(region)

    def start_lists(self, region: range) -> None:
        for node in (self.nodes[number] for number in region):
            for name in node.lists:
                if self.lists.setdefault(name, node.inputs) != node.inputs:
                    raise Irregular("a list with two beginnings")
        for name, values in self.lists.items():
            variable = self.list_variables.setdefault(name, self.unused(_identifier(name)))
            begin = ", ".join(self.read(value) for value in values)
            self.output.lines.append(f"{' ' * self.indent}{variable} = [{begin}]")

    def carry(self, first: Node, region: range) -> None:
        """The value that goes round: what the first round takes and each round replaces."""
        if len(first.inputs) != 1 or self.nodes[region[-1]].append is not None:
            raise Irregular("a loop that carries no single value")
        (value,) = first.inputs
        name = self.read(value)
        if self.flow.last_use(value.node) > region[0]:
            self.output.lines.append(f"{' ' * self.indent}out = {name}")
            self.variables[value.node] = name = "out"
        self.forced[region[-1]] = name

    def reads_of(self, value: int) -> set[int]:
        return self.reads[value] if value in self.pending else {value}

    def nested_inputs(self, number: int, node: Node) -> set[int]:
        """The pending values that go into this node's expression."""
        if node.item.train_only:
            return set()
        if self.flow.is_nested(node):
            return {value.node for value in node.inputs if value.node == number - 1}
        if node.append is not None and node.loop is not None:
            return {value.node for value in node.inputs}
        if is_op(node, "cat"):
            return self.branches(number, node)
        after_dropout = number > 0 and self.flow.role(self.nodes[number - 1]) == "dropout"
        if self.flow.is_scaling(node) or (is_op(node, "add") and after_dropout):
            return {number - 1} & {value.node for value in node.inputs}
        return set()

    def branches(self, number: int, node: Node) -> set[int]:
        """The values a `cat` can hold as nested calls: all it takes, just made, in their order, each used once."""
        wanted = [value.node for value in node.inputs]
        recent = [value for value in wanted if value in self.pending]
        in_order = recent == sorted(recent) == list(self.pending)
        return set(recent) if in_order and all(self.uses[value] == 1 for value in wanted if value >= 0) else set()

    def flush(self, keep: set[int]) -> None:
        for number in [n for n in self.pending if n not in keep]:
            self.assign(number)

    def may_wait(self, number: int, node: Node) -> bool:
        """Whether a value's expression may stay open, to be nested into what reads it."""
        if number in self.forced or node.item.train_only or self.uses[number] != 1:
            return False
        if self.flow.is_conditional(number):
            return False
        if number == self.result.node:
            return True
        following = self.nodes[number + 1] if number + 1 < len(self.nodes) else None
        if following is None or (following.guard, following.loop) != (node.guard, node.loop):
            return node.guard is None and node.loop is None and self.feeds(number)
        if self.flow.is_nested(following) or (following.append is not None and following.loop is not None):
            return [value.node for value in following.inputs] == [number] and not following.lists
        if self.flow.is_scaling(following) or (is_op(following, "add") and self.flow.role(node) == "dropout"):
            return number in {value.node for value in following.inputs}
        return self.feeds(number)

    def feeds(self, number: int) -> bool:
        if self.feeds_cat(number):
            self.waiting.add(number)
        return number in self.waiting

    def feeds_cat(self, number: int) -> bool:
        """Whether a value is one of the branches of a `cat` with nothing else between."""
        for later in self.flow.live(number + 1):
            node = self.nodes[later]
            if any(value.node == number for value in node.inputs):
                return self.holds_branches(later, node, number)
            if node.guard is not None or node.loop is not None or node.item.train_only or not self.is_branch(later):
                return False
        return False

    def holds_branches(self, number: int, node: Node, first: int) -> bool:
        """Whether a node is a `cat` of branches, and of all that runs from `first` on: nothing may change its turn."""
        if not is_op(node, "cat") or node.guard is not None or node.loop is not None:
            return False
        taken = {value.node for value in node.inputs}
        branches = all(v < 0 or v in self.waiting or (v >= first and self.is_branch(v)) for v in taken)
        between = self.flow.live(first, number)
        return branches and all(self.uses[n] == 1 and (n in taken or self.flow.is_refined(n)) for n in between)

    def is_branch(self, number: int) -> bool:
        """Whether a node is one module called on values that have variables, or what refines the output of one."""
        node = self.nodes[number]
        if node.name is None and node.calls is None:
            return False
        if self.flow.is_nested(node) and [value.node for value in node.inputs] == [number - 1]:
            return number - 1 in self.variables or (self.uses[number - 1] == 1 and self.is_branch(number - 1))
        return all(v.node in self.variables for v in node.inputs)

    def assign(self, number: int) -> None:
        """Write a pending value into a variable."""
        doc, node = self.pending.pop(number), self.nodes[number]
        if 1 < part_count(node) <= _UNPACKED:
            self.unpack(number, node, doc)
            return
        name = self.forced.get(number) or self.variable(number, node)
        self.variables[number] = name
        self.emit(f"{name} = ", self.conditional(number, doc), number, self.indent)

    def unpack(self, number: int, node: Node, doc: Doc) -> None:
        """Write several values into a variable each."""
        names = ["_"] * part_count(node)
        for part in sorted(self.flow.parts_read(number)):
            names[part] = self.parts[ValueId(number, part)] = self.unused(f"x{part + 1}")
        self.variables[number] = f"({', '.join(names)})"
        self.emit(f"{', '.join(names)} = ", self.conditional(number, doc), number, self.indent)

    def conditional(self, number: int, doc: Doc) -> Doc:
        """What is put in a variable: under a condition, `x if … else …`."""
        node = self.nodes[number]
        if node.item.train_only:
            return f"{flat(doc)} if self.training else None"
        if not self.flow.is_conditional(number):
            return doc
        assert node.guard is not None
        return f"{self.read(node.guard.otherwise)} if {self.attribute(node)} is None else {flat(doc)}"

    def emit(self, prefix: str, doc: Doc, number: int, indent: int) -> None:
        self.output.lines += lay_out(doc, indent, prefix, comment=self.comment(number))

    def comment(self, number: int) -> str:
        """In the network itself, the shape of what a line computes."""
        if not self.text.variant.is_root:
            return ""
        shape: Any = self.nodes[number].step.output if number >= 0 else self.naming.hosts[0].module.inputs[0]
        if shape and isinstance(shape[0], tuple):
            return ""
        sizes = map(str, map(int, shape))
        return " × ".join(sizes if isinstance(shape, Unbatched) else ("N", *sizes))

    def variable(self, number: int, node: Node) -> str:
        """A variable's name: one that has just become free, or the item's own."""
        dying = [self.variables[v] for v in sorted(self.reads[number]) if self.dies(v, number)]
        name = _identifier(node.label)
        if name in dying:
            return name
        if node.item.as_ is not None or part_count(node):
            return self.unused(name)
        plain = [free for free in dying if free in ("x", "out")]
        if plain:
            return plain[0]
        live = {used for value, used in self.variables.items() if not self.dies(value, number)}
        if "x" not in live:
            return "x"
        brief = self.flow.last_use(number) <= self.flow.end_of_next(number)
        if brief and "out" not in live and not node.item.train_only:
            return "out"
        return self.unused(name)

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
        if self.kept:
            self.flush(keep=set())
            self.named_outputs()
        elif self.result.node in self.pending:
            self.flush(keep={self.result.node})
            doc = self.pending[self.result.node]
            self.emit("return ", doc, self.result.node, 8)
        else:
            self.flush(keep=set())
            self.output.lines.append(f"        return {self.read(self.result)}")

    def named_outputs(self) -> None:
        values = ", ".join(self.read(value) for value in self.kept.values())
        self.output.lines.append("        if self.training:")
        self.output.lines.append(f"            return {self.returns}({values})")
        self.output.lines.append(f"        return {self.read(self.result)}")

    # -- expressions ----------------------------------------------------------------------------------------

    def expression(self, number: int, node: Node) -> Doc:
        if node.name is not None or node.calls is not None:
            return self.call(node)
        return self.function(node, self.text.functions[number])

    def call(self, node: Node) -> Doc:
        if node.lists:
            raise Irregular("a module that takes a list")
        if node.loop is not None:
            return Call("layer", tuple(self.take(value) for value in node.inputs))
        return Call(self.attribute(node), tuple(self.take(value) for value in node.inputs))

    def attribute(self, node: Node) -> str:
        name = str(self.flow.owner(node).name)
        return f"self.{name}" if name.isidentifier() else f'self.get_submodule("{name}")'

    def function(self, node: Node, doc: Doc) -> Doc:
        assert isinstance(doc, Call)
        inputs = [] if node.lists else [self.take(value) for value in node.inputs]
        if doc.head in _OPERATORS:
            return f"{self.operand(node, inputs, 0)} {_OPERATORS[doc.head]} {self.operand(node, inputs, 1)}"
        arguments: list[Doc] = []
        for argument in doc.arguments:
            if argument is ALL_INPUTS and node.lists:
                arguments.append(self.list_name(node))
            elif argument is ALL_INPUTS:
                arguments.append(Call("", tuple(inputs), brackets="[]"))
            else:
                arguments.append(inputs[argument.index] if isinstance(argument, Input) else argument)
        if doc.head.startswith(_METHODS_OF):
            return Call(f"{flat(arguments[0])}.{doc.head.removeprefix(_METHODS_OF)}", tuple(arguments[1:]))
        return Call(doc.head, tuple(arguments))

    def list_name(self, node: Node) -> str:
        (name,) = node.lists if len(node.lists) == 1 else ("",)
        if self.lists.get(name) != node.inputs:
            raise Irregular("a list with another beginning")
        return self.list_variables[name]

    @staticmethod
    def operand(node: Node, inputs: list[Doc], index: int) -> str:
        text = flat(inputs[index])
        return (
            f"({text})" if re.search(r"\w [-+*] \w", text) and not text.startswith(("self.", "torch.", "F.")) else text
        )

    def take(self, value: ValueId) -> Doc:
        """A value where it is read: its pending expression, or its variable."""
        if value.node in self.pending and value.part is None:
            return self.pending.pop(value.node)
        return self.read(value)

    def read(self, value: ValueId) -> str:
        if value.node in self.pending:
            self.assign(value.node)
        if value in self.parts:
            return self.parts[value]
        name = self.variables[value.node]
        return name if value.part is None else f"{name}[{value.part}]"


def _identifier(name: str) -> str:
    """A name as a variable's: `AuxLogits` is `aux_logits`."""
    cleaned = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", re.sub(r"\W", "_", name)).lower()
    return f"_{cleaned}" if cleaned[:1].isdigit() else cleaned
