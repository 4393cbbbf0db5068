"""One straight line of items being elaborated: a block's, the network's, or a seq's."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from archspec.diagnostics.errors import Path, nearest
from archspec.expressions.errors import ExpressionError
from archspec.expressions.parse import is_expression, parse
from archspec.expressions.rewrite import substitute
from archspec.expressions.sizes import int_of, is_whole, tree_of
from archspec.frontend.model import Block, InitRule, Item, Network, UnreadItem
from archspec.ir.definition import Initialisation, Position
from archspec.ir.graph import Outputs
from archspec.ir.module import Condition, Count, Module, Ref, Rule, Step
from archspec.ops import attributes_of, module_attributes
from archspec.ops.base import Op, Value, is_parts
from archspec.ops.initialisers import InitialiserError, parse_initialiser
from archspec.passes.inplace import inplace_steps
from archspec.passes.specialize.bindings import WRONG
from archspec.passes.specialize.items import FAILED, Making
from archspec.passes.specialize.naming import is_raw, list_names, of_module
from archspec.passes.specialize.scope import ShapeView, resolve


class Frame(Making):
    """Turns items into steps, one after the other."""

    def body(self, body: Network | Block, arguments: dict[str, Any], path: Path, definition: str) -> Module | None:
        """The module this body comes to, or `None` after a mistake."""
        self.bind(body, arguments, path)
        self.in_seq = isinstance(body, Block) and body.seq is not None
        items = body.items if isinstance(body, Block) else body.layers
        self.lists = {name: [] for name in list_names(items)}
        self.run(items, (*path, "seq" if self.in_seq else "layers"), ())
        if body.output is not None:
            self.previous = self.lasting(body.output, (*path, "output"), when="") or (Ref(-1), None)
        registration = self.registration(body.register_, (*path, "register"))
        rules = tuple(self.rules(body.init, (*path, "init")))
        if self.failed or self.previous[1] is None:
            return None
        return self.finish(definition, registration, rules, body)

    def finish(
        self, definition: str, registration: tuple[int, ...] | None = None, rules: tuple[Any, ...] = (),
        body: Network | Block | None = None,
    ) -> Module | None:  # fmt: skip
        result, _ = self.previous
        kept = [self.names[n][0] for n in self.kept_names(body) if n in self.names]
        flagged = inplace_steps(self.steps, result, kept)
        steps = tuple(replace(s, inplace=True) if i in flagged else s for i, s in enumerate(self.steps))
        lets = {name: self.scope[name] for name in self.symbols} if body else {}
        arguments = {name: self.scope[name] for name in body.params if name not in lets} if body else {}
        module = Module(definition, tuple(self.inputs.values()), steps, result,  # type: ignore[arg-type]
                        arguments, lets, registration, rules, self.symbols, self.conditions, self.counts,
                        self.defaults, self.written,
                        None if body is None else self.owner.definition(body, definition))  # fmt: skip
        return module if self.owner.measure(module, self.pinned or self.path, self.where) else None

    @staticmethod
    def kept_names(body: Network | Block | None) -> list[str]:
        outputs = body.outputs if isinstance(body, Network) else None
        return [name.partition(".")[0] for name in outputs.fields.values()] if outputs else []

    def run(self, items: list[Item], path: Path, position: Position) -> None:
        """All items of this line, which is meanwhile the innermost of the open ones."""
        self.owner.frames.append(self)
        self.items(items, path, position)
        self.owner.frames.pop()

    def line(self, items: list[Item], value: Value, path: Path, position: Position, where: str) -> Module | None:
        frame = Frame(self.owner, {"input": value}, path, where)
        frame.pinned, frame.in_seq = self.pinned, True
        frame.scope, frame.missing, frame.indices = dict(self.scope), self.missing, self.indices
        frame.run(items, path, position)
        if frame.failed or frame.previous[1] is None:
            self.failed = True
            return None
        return frame.finish("")

    def items(self, items: list[Item], path: Path, position: Position) -> None:
        self.begun[id(items)] = items
        for number, item in enumerate(items):
            place = (*path, number) if item.name is None else (*path, number, item.name)
            for k in self.iterations(item, place, (*position, number)):
                self.item(item, place, (*position, number, k))

    def iterations(self, item: Item, path: Path, position: Position) -> Iterator[int]:
        """The number of each round the item is unrolled to, with the loop index bound."""
        if item.repeat is None:
            yield 0
            return
        if item.index in self.scope:
            what = "the index of a repeat around this" if item.index in self.indices else "a parameter or local name"
            self.problem("reference", f"'{item.index}' is {what}", (*path, "index"), help="give the index another name")
            self.skip()
            return
        count, tree = self.evaluate_symbolic(item.repeat, (*path, "repeat"))
        if not is_whole(count) or count < 0:
            if count is not WRONG:
                self.problem("expression", f"expected a whole number of times, got {count!r}", (*path, "repeat"))
            self.skip()
            return
        if count > self.owner.max_nodes:
            self.owner.too_many("rounds", self.pinned or (*path, "repeat"), self.where)
            self.skip()
            return
        if self.owner.carry:
            self.counts[position] = Count(self.unrolled(tree), int(count))
        name, outer = item.index_within(len(self.indices)), self.indices
        before, self.failed = self.failed, False
        for k in range(count):
            if item.index is not None:
                self.scope[name] = k
            self.indices = {**outer, name: k}
            yield k
            if self.failed:  # the other iterations would fail alike
                self.gaps |= k + 1 < count
                break
        self.failed = self.failed or before
        self.indices = outer
        self.scope.pop(name, None)

    def item(self, item: Item, path: Path, position: Position) -> None:
        if isinstance(item, UnreadItem):
            self.pass_over(item)
            return
        if self.in_seq and not self.fits_in_seq(item, path):
            self.skip()
            return
        present = True if item.when is None else self.condition(item, path, position)
        if present is WRONG:
            self.skip()
        elif not present:
            self.leave_out(item, path, position)
        elif item.layers is not None:
            self.items(item.layers, (*path, "layers"), position)
        else:
            self.place(item, path, position)

    def fits_in_seq(self, item: Item, path: Path) -> bool:
        """Whether an item is what an entry of an `nn.Sequential` can be: it runs always, on the value before it."""
        strays = [key for key, given in (("train_only", item.train_only), ("else", item.else_), ("append", item.append))
                  if given]  # fmt: skip
        for key in strays:
            self.problem("schema", f"'{key}' has no meaning for an item of a seq", (*path, key),
                         help="write layers in a block in place of the seq", about_key=True)  # fmt: skip
        return not strays

    def condition(self, item: Item, path: Path, position: Position) -> Any:
        """Whether an item is there; its condition is noted for code generation."""
        value, tree = self.evaluate_symbolic(item.when, (*path, "when"))
        if self.owner.carry and value is not WRONG:
            self.conditions[position] = Condition(self.unrolled(tree), bool(value), self.previous[0])
        return value

    def leave_out(self, item: Item, path: Path, position: Position) -> None:
        """An item whose condition is false: another value takes its place."""
        if item.layers is not None:
            return
        value = self.previous if item.else_ is None else self.lasting(item.else_, (*path, "else"), item.train_only)
        value = (Ref(-1), None) if value is None else value
        if self.owner.carry:
            self.conditions[position] = self.conditions[position]._replace(otherwise=value[0])
        name = item.as_ or item.name
        label = None if name is None else self.filled(name, path)
        if label is not None:
            self.name_value(label, *value)
        if item.else_ is not None:
            self.previous = value

    def place(self, item: Item, path: Path, position: Position) -> None:
        """An item that is there: make its step and give its value a name."""
        name = self.attribute(item, path)
        inputs = self.input_values(item, path)
        where = self.dotted(name or item.as_ or item.label)
        self.placed = None if inputs is None else (item, name, inputs)
        made = self.made(item, inputs, path, position, where) if inputs is not None else None
        label = item.as_ or (name if item.name else None)
        unnamed = item.name is not None and name is None  # its expression has no value
        self.gaps |= unnamed
        if made is None or unnamed:
            self.fail(item, name, label)
            return
        target, output, trees = made
        registered = name is not None and (not isinstance(target, Op) or target.module is not None or target.raw)
        if not self.check_place(item, target, registered, path, where):
            self.fail(item, name, label)
            return
        assert inputs is not None
        step = Step(
            target, tuple(ref for ref, _ in inputs), output, name if registered else None, label or item.label,
            item.train_only, False, path, position, self.indices, trees,
        )  # fmt: skip
        self.add(item, step, name)

    def fail(self, item: Item, name: str | None, label: str | None) -> None:
        """After a mistake the value of an item is unknown; what depends on it is passed over in silence."""
        self.failed = True
        if name is not None:
            self.modules[name] = FAILED
        self.settle(item, label, (Ref(-1), None))

    def pass_over(self, item: UnreadItem) -> None:
        """An item that could not be read: only its names are known, if it has any."""
        self.gaps |= item.may_name
        self.counter += self.in_seq
        self.fail(item, item.name, item.as_ or item.name)

    def skip(self) -> None:
        """After a mistake it is unknown whether an item is there: so is every name that is not known by now."""
        self.failed = self.gaps = True
        self.previous = (Ref(-1), None)

    def add(self, item: Item, step: Step, name: str | None) -> None:
        number = len(self.steps)
        self.steps.append(step)
        if len(self.steps) == self.owner.max_nodes + 1:
            self.owner.too_many("nodes", self.pinned or step.path, self.where)
            self.failed = True
        if step.name is not None:
            self.modules[step.name] = number
        label = item.as_ or (name if item.name else None)
        self.settle(item, label, (Ref(number), step.output))

    def settle(self, item: Item, label: str | None, value: tuple[Ref, Value | None]) -> None:
        """Name a value; it is what the next item takes, unless it exists in training only."""
        if label is not None:
            self.name_value(label, *value)
        if item.append is not None:
            self.lists[item.append].append(value)
        if not item.train_only and not is_raw(item):
            self.previous = value

    def attribute(self, item: Item, path: Path) -> str | None:
        """The name an item's module is registered under: its own, or the next number in a seq."""
        number = str(self.counter) if self.in_seq else None
        name = number if item.name is None else self.filled(item.name, path)
        self.counter += self.in_seq and item.call is None
        if name is not None and name in self.modules:
            repeated = f"a repeated item needs its index in its name: '{name}{{{item.index or 'i'}}}'"
            self.problem("reference", f"there are two items named '{name}'", path,
                         help=repeated if item.repeat else "names are unique within a block")  # fmt: skip
            self.failed = True
        return name

    def check_place(self, item: Item, target: Op | Module | int, registered: bool, path: Path, where: str) -> bool:
        """Whether a target can stand here: in a seq only modules, without a name only what has no parameters."""
        if isinstance(target, Op) and not registered and not target.has_function():
            self.problem("schema", f"{target.kind} needs a name to be registered under", path, where,
                         help=f"write 'name: {{op: {target.kind}, …}}'")  # fmt: skip
        elif isinstance(target, Op) and self.in_seq and target.module is None:
            self.problem("schema", f"{target.kind} is a function, and a seq holds modules only", path, where,
                         help="write layers in a block in place of the seq")  # fmt: skip
        elif isinstance(target, Module) and not registered:
            self.problem("schema", "a block or seq needs a name to be registered under", path, where,
                         help="write 'name: {block: …}' or 'name: {seq: […]}'")  # fmt: skip
        elif self.in_seq and isinstance(target, int):
            self.problem("schema", "a seq cannot call a module again", path, where,
                         help="write layers in a block in place of the seq")  # fmt: skip
        else:
            return True
        return False

    def registration(self, names: list[str] | None, path: Path) -> tuple[int, ...] | None:
        """The order of registration: the listed modules come last, in the order they are listed."""
        if names is None:
            return None
        unknown = [name for name in names if name not in self.modules and not self.gaps]
        if unknown:
            for name in unknown:
                at = (*path, names.index(name))
                self.problem("reference", f"there is no module '{name}'", at, help=nearest(name, self.modules))
            return None
        last = dict.fromkeys(self.modules.get(name, FAILED) for name in names)
        return (*(i for i in range(len(self.steps)) if i not in last), *last)

    def rules(self, rules: list[InitRule], path: Path) -> Iterator[Initialisation]:
        """The initialisation rules that hold here, with their expressions evaluated.

        For code generation, the expressions of all of them are noted in `written`.
        """
        for number, rule in enumerate(rules):
            holds, tree = (
                (True, None) if rule.when is None else self.evaluate_symbolic(rule.when, (*path, number, "when"))
            )
            self.note(rule, None if tree is None else Condition(tree, bool(holds), Ref(-1)))
            if holds:
                self.check_attributes(rule, (*path, number))
                filled = {
                    name: self.initialiser(given, (*path, number, name)) for name, given in rule.parameters.items()
                }
                yield Initialisation(None if rule.op is None else tuple(rule.op), rule.path, filled)

    def note(self, rule: InitRule, condition: Condition | None) -> None:
        """Keep the expressions of a rule, whether it holds or not."""
        if self.owner.carry and not self.failed:
            given = [(name, parse_initialiser(given)[1]) for name, given in rule.parameters.items()]
            trees = {(name, key): self.resolved(value) for name, arguments in given for key, value in arguments.items()}
            self.written = (*self.written, Rule(condition, trees))

    def resolved(self, given: Any) -> ast.expr:
        """The expression of a rule's argument; one that only a rule which does not hold has may be without a value."""
        if not is_expression(given):
            return ast.Constant(given)
        try:
            tree = resolve(parse(given), self.scope)
            return substitute(tree, self.numbers()) if self.owner.frozen else tree
        except ExpressionError:
            return ast.Constant(None)

    def numbers(self) -> dict[str, ast.expr]:
        """The values of all names, as expressions."""
        return {name: tree_of(value) for name, value in self.scope.items() if not isinstance(value, ShapeView)}

    def check_attributes(self, rule: InitRule, path: Path) -> None:
        """A rule's expressions may read what all modules it is for have."""
        if rule.op is None:
            return
        common = frozenset.intersection(*(attributes_of(op) for op in rule.op))
        for name, given in rule.parameters.items():
            for key, value in parse_initialiser(given)[1].items():
                if of_module(value):
                    for stray in sorted((parse(value).names & module_attributes()) - common):
                        help = "a parameter of that name is hidden by attributes of modules: give it another name"
                        help = help if stray in self.scope else nearest(stray, common)
                        without = [op for op in rule.op if stray not in attributes_of(op)]
                        message = f"{' and '.join(without)} {'has' if len(without) == 1 else 'have'} no '{stray}'"
                        below = [*given, key] if isinstance(given, dict) else []
                        self.problem("expression", message, (*path, name, *below), help=help, word=stray)

    def initialiser(self, given: Any, path: Path) -> Any:
        """An initialiser with its expressions evaluated; those over the module's own attributes stay as they are."""
        name, arguments = parse_initialiser(given)
        filled = {name: {key: self.of_parameters(value, (*path, name, key)) for key, value in arguments.items()}}
        if not any(value is WRONG for value in filled[name].values()):
            try:
                parse_initialiser(filled)
            except InitialiserError as error:
                self.problem("expression", str(error), (*path, *error.path), help=error.help)
        return filled

    def of_parameters(self, given: Any, path: Path) -> Any:
        """The value of an argument; of one over attributes of the module, the expression with all else filled in."""
        if not of_module(given):
            return self.evaluate(given, path)
        expression = parse(given)
        values = {name: self.evaluate(f"={name}", path) for name in sorted(expression.names - module_attributes())}
        if any(value is WRONG for value in values.values()):
            return WRONG
        trees = {name: tree_of(int_of(value)) for name, value in values.items()}
        return f"={ast.unparse(substitute(expression.tree, trees))}" if trees else given

    def outputs(self, network: Network) -> Outputs | None:
        if network.outputs is None:
            return None
        fields: dict[str, Ref] = {}
        for field, name in network.outputs.fields.items():
            path = ("outputs", "fields", field)
            found = self.lasting(name, path, bool(fields), "")
            if found is not None and found[1] is not None and is_parts(found[1]):
                self.problem("reference", f"'{name}' is {len(found[1])} tensors, and a field is one", path,
                             help=f"name one of them: {name}.0")  # fmt: skip
            elif found is not None:
                fields[field] = found[0]
        return Outputs(network.outputs.type, fields)
