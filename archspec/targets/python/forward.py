"""The body of `forward`: nodes as statements, chains nested, variables named and reused as a person would.

Statements follow the order in which the items run. A normalisation, activation or dropout is nested around
what it follows; parallel branches are nested into the `cat` that joins them; everything else is a line.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from archspec.graph import Module
from archspec.ops.base import ALL_INPUTS, Input, Op, format_shape
from archspec.targets.python.classes import ClassText
from archspec.targets.python.layout import Call, Doc, Keyword, flat, lay_out
from archspec.targets.python.nodes import Irregular, Node, ValueId

_NESTING_ROLES = frozenset({"norm", "activation", "dropout"})
_OPERATORS = {"operator.add": "+", "operator.sub": "-", "operator.mul": "*"}
_METHODS_OF = "Tensor."
_END = 1 << 30


@dataclass
class Statements:
    """The lines of a `forward`, indented by eight spaces, and the helpers they call."""

    lines: list[str] = field(default_factory=list)
    helpers: list[str] = field(default_factory=list)


def write_forward(text: ClassText, kept: dict[str, ValueId], returns: str = "") -> Statements:
    """The body of a class's `forward`. `kept` are a network's named outputs, `returns` the class that holds them."""
    return _Forward(text, kept, returns).write()


class _Forward:
    def __init__(self, text: ClassText, kept: dict[str, ValueId], returns: str) -> None:
        self.text = text
        self.nodes = text.nodes
        self.kept = kept
        self.returns = returns
        self.result = text.naming.result
        self.output = Statements()
        self.uses = self._uses()
        self.last = self._last()
        self.optional = {a.name for a in text.assignments if a.condition is not None}
        self.pending: dict[int, Doc] = {}
        """Values written as expressions that are still to be put into a statement."""
        self.waiting: set[int] = set()
        """Pending branches of a `cat` that is still to come."""
        self.variables: dict[int, str] = {}
        self.reads: dict[int, set[int]] = {}
        """The values in variables that each expression reads, through what is nested in it."""
        self.inputs = self._input_names()
        self.variables.update({-1 - number: name for number, name in enumerate(self.inputs)})

    @property
    def arity(self) -> int:
        return len(self.text.naming.hosts[0].module.inputs)

    def _input_names(self) -> list[str]:
        names = [name for name, value in self.text.naming.values.items() if value.node < 0 and value.part is None]
        return ["x" if name == "input" else name for name in names[: self.arity]]

    # -- liveness -------------------------------------------------------------------------------------------

    def readers(self, node: Node) -> list[int]:
        extra = [] if node.otherwise is None else [node.otherwise.node]
        return [value.node for value in node.inputs] + extra

    def _uses(self) -> Counter[int]:
        uses: Counter[int] = Counter()
        for node in self.nodes:
            uses.update(self.readers(node))
        uses.update({value.node for value in (self.result, *self.kept.values())})
        return uses

    def _last(self) -> dict[int, int]:
        last = {value: number for number, node in enumerate(self.nodes) for value in self.readers(node)}
        return {**last, **{value.node: _END for value in (self.result, *self.kept.values())}}

    # -- statements -----------------------------------------------------------------------------------------

    def write(self) -> Statements:
        for number, node in enumerate(self.nodes):
            if number != self.result.node and not self.uses[number]:
                continue  # nobody reads it, and it has no effect
            nested = self.nested_inputs(number, node)
            self.flush(keep=nested | (set() if self.is_cat(node) else self.waiting))
            self.waiting -= nested
            self.reads[number] = set().union(*(self.reads_of(value.node) for value in node.inputs))
            self.pending[number] = self.expression(number, node)
            if not self.may_wait(number, node):
                self.assign(number)
        self.finish()
        return self.output

    def reads_of(self, value: int) -> set[int]:
        return self.reads[value] if value in self.pending else {value}

    def nested_inputs(self, number: int, node: Node) -> set[int]:
        """The pending values that go into this node's expression."""
        if node.condition or node.item.train_only:
            return set()
        if self.role(node) in _NESTING_ROLES and self.role(node) != "other":
            return {value.node for value in node.inputs if value.node == number - 1}
        if self.is_cat(node):
            return self.branches(number, node)
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
        if node.condition or node.item.train_only or self.uses[number] != 1:
            return False
        if number == self.result.node:
            return True
        following = self.nodes[number + 1] if number + 1 < len(self.nodes) else None
        if following is not None and self.role(following) in _NESTING_ROLES and not following.condition:
            return [value.node for value in following.inputs] == [number]
        if self.feeds_cat(number):
            self.waiting.add(number)
        return number in self.waiting

    def feeds_cat(self, number: int) -> bool:
        """Whether a value is one of the branches of a `cat` with nothing else between."""
        for later in range(number + 1, len(self.nodes)):
            node = self.nodes[later]
            if any(value.node == number for value in node.inputs):
                return self.is_cat(node) and not node.condition and all(
                    value.node < 0 or value.node not in range(number, later) or self.is_call_on_variable(value.node)
                    for value in node.inputs
                )  # fmt: skip
            if node.condition or node.item.train_only or not self.is_call_on_variable(later):
                return False
        return False

    def is_call_on_variable(self, number: int) -> bool:
        """Whether a node is one module called on values that have variables."""
        node = self.nodes[number]
        return node.name is not None and all(v.node in self.variables for v in node.inputs)

    def assign(self, number: int) -> None:
        """Write a pending value into a variable."""
        doc, node = self.pending.pop(number), self.nodes[number]
        name = self.variable(number, node)
        self.variables[number] = name
        if node.condition and node.otherwise == (node.inputs[0] if len(node.inputs) == 1 else None):
            if self.variables.get(node.inputs[0].node) == name:
                self.output.lines.append(f"        if self.{node.name} is not None:")
                self.emit(f"{name} = ", self.call(node), number, 12)
                return
        self.emit(f"{name} = ", self.conditional(node, doc), number, 8)

    def conditional(self, node: Node, doc: Doc) -> Doc:
        if node.item.train_only:
            return f"{flat(doc)} if self.training else None"
        if not node.condition:
            return doc
        assert node.otherwise is not None
        return f"{self.read(node.otherwise)} if {self.attribute(node)} is None else {flat(doc)}"

    def emit(self, prefix: str, doc: Doc, number: int, indent: int) -> None:
        self.output.lines += lay_out(doc, indent, prefix, comment=self.comment(number))

    def comment(self, number: int) -> str:
        """In the network itself, the shape of what a line computes."""
        if not self.text.variant.is_root:
            return ""
        shape: Any = self.nodes[number].step.output if number >= 0 else self.text.naming.hosts[0].module.inputs[0]
        return "" if shape and isinstance(shape[0], tuple) else f"N × {format_shape(shape).replace('×', ' × ')}"

    def variable(self, number: int, node: Node) -> str:
        """A variable's name: one that has just become free, or the item's own."""
        if node.item.as_ is not None:
            return self.unused(_identifier(node.item.as_))
        dying = [self.variables[v] for v in sorted(self.reads[number]) if self.dies(v, number)]
        plain = [name for name in dying if name in ("x", "out")]
        if plain:
            return plain[0]
        live = {name for value, name in self.variables.items() if self.last.get(value, -1) > number}
        if "x" not in live:
            return "x"
        brief = self.last.get(number, -1) <= self.next_statement(number)
        if brief and "out" not in live and not node.item.train_only:
            return "out"
        return self.unused(_identifier(node.item.name or node.label))

    def dies(self, value: int, number: int) -> bool:
        """Whether a value is not read after a statement; what was nested into the statement counts with it."""
        return self.last.get(value, -1) <= number

    def next_statement(self, number: int) -> int:
        """The last node of the statement after a node's: what it and the nodes nested around it compute."""
        following = number + 1
        while following + 1 < len(self.nodes) and self.role(self.nodes[following + 1]) in _NESTING_ROLES:
            following += 1
        return following

    def unused(self, name: str) -> str:
        taken = set(self.variables.values()) | {"self", "torch", "nn", "F", "x"}
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
        if node.condition:
            raise Irregular("a function under a condition")
        return self.function(node, self.text.functions[number])

    def call(self, node: Node) -> Doc:
        return Call(self.attribute(node), tuple(self.take(value) for value in node.inputs))

    def attribute(self, node: Node) -> str:
        owner = node if node.calls is None else self.nodes[node.calls]
        name = str(owner.name)
        return f"self.{name}" if name.isidentifier() else f'self.get_submodule("{name}")'

    def function(self, node: Node, doc: Doc) -> Doc:
        assert isinstance(doc, Call)
        inputs = [self.take(value) for value in node.inputs]
        if doc.head in _OPERATORS:
            return f"{self.operand(node, inputs, 0)} {_OPERATORS[doc.head]} {self.operand(node, inputs, 1)}"
        arguments: list[Doc] = []
        for argument in doc.arguments:
            if argument is ALL_INPUTS:
                arguments.append(Call("", tuple(inputs), brackets="[]"))
            else:
                arguments.append(inputs[argument.index] if isinstance(argument, Input) else argument)
        if doc.head.startswith(_METHODS_OF):
            return Call(f"{flat(arguments[0])}.{doc.head.removeprefix(_METHODS_OF)}", tuple(arguments[1:]))
        if "." not in doc.head and doc.head not in self.output.helpers:
            self.output.helpers.append(doc.head)
        return Call(doc.head, tuple(_named(doc.head, arguments)))

    @staticmethod
    def operand(node: Node, inputs: list[Doc], index: int) -> str:
        text = flat(inputs[index])
        return f"({text})" if re.search(r"\w [-+*] \w", text) and not text.startswith(("self.", "torch.", "F.")) else text

    def take(self, value: ValueId) -> Doc:
        """A value where it is read: its pending expression, or its variable."""
        if value.node in self.pending and value.part is None:
            return self.pending.pop(value.node)
        return self.read(value)

    def read(self, value: ValueId) -> str:
        if value.node in self.pending:
            self.assign(value.node)
        name = self.variables[value.node]
        return name if value.part is None else f"{name}[{value.part}]"

    def role(self, node: Node) -> str:
        owner = node if node.calls is None else self.nodes[node.calls]
        target = owner.step.target
        if isinstance(target, Module) or not isinstance(target, Op):
            return "block"
        return target.role

    def is_cat(self, node: Node) -> bool:
        return isinstance(node.step.target, Op) and node.step.target.kind == "cat"


def _named(head: str, arguments: list[Doc]) -> list[Doc]:
    """`torch.cat([…], 1)` reads better with the dimension named."""
    if head == "torch.cat":
        return [arguments[0], Keyword("dim", arguments[1])]
    return arguments


def _identifier(name: str) -> str:
    cleaned = re.sub(r"\W", "_", name)
    return f"_{cleaned}" if cleaned[:1].isdigit() else cleaned
