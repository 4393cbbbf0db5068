"""Core network + parameters → Graph: binds arguments, evaluates expressions, resolves references, infers shapes.

Mistakes do not stop it: the value of an item that failed is unknown, what depends on it is passed over in
silence, and everything else is still checked. All mistakes come in one `ElaborationError`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError

from archspec import expressions, library
from archspec.errors import Diagnostic, ElaborationError, Path, nearest
from archspec.expressions import Dim, ExpressionError, UnknownName, tree_of
from archspec.graph import Control, Graph, Module, Outputs, Ref, Step
from archspec.inplace import inplace_steps
from archspec.language import Block, InitRule, Item, Network, check_name, diagnostics_of, parse_initialiser
from archspec.ops import OPS
from archspec.ops.base import ChannelsLast, Op, Shape, ShapeError, Value, format_shape, numel
from archspec.scope import Scope, Unknown, bind_value, evaluate, fill, is_whole, substitute, symbolic

MAX_NODES: Final = 1_000_000
"""Steps a network may have when every block is counted as often as it is used."""

MAX_ELEMENTS: Final = 1 << 62
"""Elements of one value. No machine holds as many; repeats that double a size would calculate for hours."""

MAX_BLOCK_DEPTH: Final = 50


def elaborate(network: Network, *, carry_expressions: bool = False, max_nodes: int = MAX_NODES) -> Graph:
    """Elaborate a core-language network.

    With `carry_expressions` the graph also knows the expression behind each number, as code generation needs.
    Raises `ElaborationError` with every independent mistake.
    """
    return _Elaborator(network, carry_expressions, max_nodes).graph()


Made = tuple[Op | Module | int, Value, dict[str, ast.expr]]
"""What an item comes to: what runs, the shape it yields, and the expressions of its arguments."""


class _Elaborator:
    """The state of one run: the blocks elaborated so far, and the mistakes found."""

    def __init__(self, network: Network, carry_expressions: bool, max_nodes: int) -> None:
        self.network = network
        self.carry = carry_expressions
        self.max_nodes = max_nodes
        self.problems: list[Diagnostic] = []
        self.instances: dict[Any, Module | None] = {}
        self.ops: dict[Any, Op] = {}
        self.sizes: dict[int, int] = {}
        self.made: dict[Any, Made] = {}
        self.open: list[str] = []
        self.frames: list[_Frame] = []

    def graph(self) -> Graph:
        network = self.network
        frame = _Frame(self, {"input": tuple(network.input)}, ("params",), "")
        for name in (name for name, default in network.params.items() if default is None):
            self.problem("reference", f"the parameter '{name}' has no value", ("params", name), "",
                         f"give it one here, or with --set {name}=…")  # fmt: skip
        root = frame.body(network, {}, (), network.class_name or class_name(network.name))
        if root is None or self.problems:
            raise ElaborationError(self.problems)
        outputs = frame.outputs(network)
        if self.problems:
            raise ElaborationError(self.problems)
        if outputs is not None and network.output is None:
            root = replace(root, result=next(iter(outputs.fields.values())))
        return Graph(
            network.name, root.definition, root, network.description or "", network.reference or "",
            root.init, outputs, network,
        )  # fmt: skip

    def block(self, name: str) -> tuple[Block, Path | None] | None:
        """A block's definition, and its path in the spec (`None` for the library's)."""
        if name in self.network.blocks:
            return self.network.blocks[name], ("blocks", name)
        found = library.block(name)
        return None if found is None else (found, None)

    def instance(
        self, name: str, arguments: dict[str, Any], inputs: dict[str, Value], where: str, path: Path
    ) -> Module | None:
        """A block with its arguments and input shapes: each different one is elaborated once."""
        key = (name, _hashable(arguments), tuple(inputs.values()))
        if key not in self.instances:
            if name in self.open or len(self.open) >= MAX_BLOCK_DEPTH:
                self.problem("reference", f"the block '{name}' contains itself", path, where)
                return None
            self.open.append(name)
            self.instances[key] = self._elaborate(name, arguments, inputs, where, path)
            self.open.pop()
        return self.instances[key]

    def _elaborate(
        self, name: str, arguments: dict[str, Any], inputs: dict[str, Value], where: str, path: Path
    ) -> Module | None:
        found = self.block(name)
        assert found is not None
        block, prefix = found
        frame = _Frame(self, inputs, path if prefix is None else prefix, where)
        frame.pinned = path if prefix is None else None
        return frame.body(block, arguments, prefix or path, name)

    def op(self, kind: str, arguments: dict[str, Any], path: Path, where: str, pinned: bool) -> Op | None:
        """An op with checked fields; equal ones are one object."""
        key = (kind, _hashable(arguments))
        if key not in self.ops:
            try:
                self.ops[key] = OPS[kind].model_validate(arguments)
            except ValidationError as error:
                for found in diagnostics_of(error, (), OPS[kind], arguments):
                    field = f"{found.path[0]}: " if found.path else ""
                    self.problem(found.kind, field + found.message, path if pinned else (*path, *found.path), where,
                                 found.help)  # fmt: skip
                return None
        return self.ops[key]

    def measure(self, module: Module, path: Path, where: str) -> bool:
        """Count a module's steps with those of its sub-modules; false, and a diagnostic, if there are too many."""
        size = sum(self.sizes[id(s.target)] if isinstance(s.target, Module) else 1 for s in module.steps)
        self.sizes[id(module)] = size
        if size > self.max_nodes:
            self.problem("limit", f"more than {self.max_nodes:,} nodes", path, where)
        return size <= self.max_nodes

    def problem(
        self, kind: str, message: str, path: Path, where: str, help: str = "", notes: tuple[str, ...] = ()
    ) -> None:
        first = kind == "shape" and not any(found.trail for found in self.problems)
        trail = tuple(row for frame in self.frames for row in frame.trail()) if first else ()
        self.problems.append(Diagnostic(kind, message, path, where, notes, help, trail=trail))


class _Frame:
    """One straight line of items being elaborated: a block's, the network's, or a seq's."""

    def __init__(self, owner: _Elaborator, inputs: dict[str, Value], path: Path, where: str) -> None:
        self.owner = owner
        self.inputs = inputs
        self.path = path
        self.where = where
        self.pinned: Path | None = None
        """Set inside library blocks: mistakes are shown at the item that uses the block."""
        self.scope: Scope = {}
        self.symbols: dict[str, ast.expr] = {}
        self.steps: list[Step] = []
        self.names: dict[str, tuple[Ref, Value | None]] = {}
        self.modules: dict[str, int] = {}
        self.lists: dict[str, list[tuple[Ref, Value | None]]] = {}
        self.indices: dict[str, int] = {}
        self.controls: dict[Control, ast.expr] = {}
        self.in_seq = False
        self.counter = 0
        self.failed = False
        self.gaps = False
        """Set when items were passed over, so that names may be missing through no fault of who uses them."""
        for number, (name, value) in enumerate(inputs.items()):
            self.names[name] = (Ref(-1 - number), value)
        self.previous: tuple[Ref, Value | None] = next(iter(self.names.values()))

    # -- bodies ---------------------------------------------------------------------------------------------

    def body(self, body: Network | Block, arguments: dict[str, Any], path: Path, definition: str) -> Module | None:
        """The module this body comes to, or `None` after a mistake."""
        if not self.bind(body, arguments, path):
            return None
        self.in_seq = isinstance(body, Block) and body.seq is not None
        items = body.items if isinstance(body, Block) else body.layers
        self.lists = {name: [] for name in list_names(items)}
        self.run(items, (*path, "seq" if self.in_seq else "layers"), ())
        if body.output is not None:
            self.previous = self.reference(body.output, (*path, "output")) or (Ref(-1), None)
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
        lets = {name: self.scope[name] for name in body.let} if body else {}
        arguments = {name: self.scope[name] for name in body.params} if body else {}
        module = Module(definition, tuple(self.inputs.values()), steps, result,  # type: ignore[arg-type]
                        arguments, lets, registration, rules, self.symbols, self.controls)  # fmt: skip
        return module if self.owner.measure(module, self.pinned or self.path, self.where) else None

    @staticmethod
    def kept_names(body: Network | Block | None) -> list[str]:
        outputs = body.outputs if isinstance(body, Network) else None
        return [name.partition(".")[0] for name in outputs.fields.values()] if outputs else []

    def bind(self, body: Network | Block, arguments: dict[str, Any], path: Path) -> bool:
        """Fill the scope with the inputs' shapes, the parameters and the local names."""
        if self.owner.carry:
            self.name_inputs(body)
        for name, value in self.inputs.items():
            bind_value(self.scope, name, value)
        known = len(self.owner.problems)
        for name, default in body.params.items():
            given = arguments.get(name, default)
            bound = self.evaluate(given, (*path, "params", name)) if name not in arguments else given
            self.scope[name] = self.symbol(name, bound)
        for name, given in body.let.items():
            bound, tree = self.evaluate_symbolic(given, (*path, "let", name))
            self.symbols[name] = tree
            self.scope[name] = self.symbol(name, bound)
        return len(self.owner.problems) == known

    def symbol(self, name: str, value: Any) -> Any:
        """A parameter as its block sees it: a number that is called by the parameter's name."""
        return Dim(int(value), ast.Name(name, ast.Load())) if self.owner.carry and is_whole(value) else value

    def name_inputs(self, body: Network | Block) -> None:
        """Give the channels of the inputs a name of their own (`in_channels`). A network's input is a constant."""
        for name, value in self.inputs.items():
            if isinstance(body, Block) and value and not isinstance(value[0], tuple):
                symbol = input_symbol(name, value, body)
                sizes = (Dim(int(value[0]), ast.Name(symbol, ast.Load())), *map(int, value[1:]))
                self.inputs[name] = ChannelsLast(sizes) if isinstance(value, ChannelsLast) else sizes
        self.names = {n: (ref, self.inputs[n]) for n, (ref, _) in self.names.items()}
        self.previous = next(iter(self.names.values()))

    # -- items ----------------------------------------------------------------------------------------------

    def trail(self) -> list[tuple[str, str, str]]:
        """The steps made so far, as rows of name, type and output shape."""
        return [(self.dotted(step.name or step.label), _kind_of(self.steps, step), format_shape(step.output))
                for step in self.steps]  # fmt: skip

    def run(self, items: list[Item], path: Path, slot: tuple[int, ...]) -> None:
        """All items of this line, which is meanwhile the innermost of the open ones."""
        self.owner.frames.append(self)
        self.items(items, path, slot)
        self.owner.frames.pop()

    def items(self, items: list[Item], path: Path, slot: tuple[int, ...]) -> None:
        for number, item in enumerate(items):
            place = (*path, number) if item.name is None else (*path, number, item.name)
            for _ in self.iterations(item, place, (*slot, number)):
                self.item(item, place, (*slot, number))

    def iterations(self, item: Item, path: Path, slot: tuple[int, ...]) -> Iterator[None]:
        """Once for each time the item is unrolled, with the loop index bound."""
        if item.repeat is None:
            yield
            return
        count = self.control("repeat", item.repeat, path, slot)
        if not is_whole(count) or count < 0:
            if count is not _WRONG:
                self.problem("expression", f"expected a whole number of times, got {count!r}", (*path, "repeat"))
            self.skip()
            return
        if count > self.owner.max_nodes:
            self.problem("limit", f"repeated more than {self.owner.max_nodes:,} times", (*path, "repeat"))
            self.skip()
            return
        name = item.index or "_"
        outer = self.scope.get(name), self.indices
        before, self.failed = self.failed, False
        for k in range(count):
            self.scope[name] = self.symbol(name, k)
            self.indices = {**outer[1], name: k}
            yield
            if self.failed:  # the other iterations would fail alike
                break
        self.failed = self.failed or before
        self.indices = outer[1]
        self.scope.pop(name, None)
        if outer[0] is not None:
            self.scope[name] = outer[0]

    def item(self, item: Item, path: Path, slot: tuple[int, ...]) -> None:
        present = True if item.when is None else self.control("when", item.when, path, slot)
        if present is _WRONG:
            self.skip()
        elif not present:
            self.leave_out(item, path)
        elif item.layers is not None:
            self.items(item.layers, (*path, "layers"), slot)
        else:
            self.place(item, path, slot)

    def leave_out(self, item: Item, path: Path) -> None:
        """An item whose condition is false: another value takes its place."""
        if item.layers is not None:
            return
        value = self.previous if item.else_ is None else self.reference(item.else_, (*path, "else"))
        if value is not None:
            name = item.as_ or item.name
            if name is not None:
                self.name_value(fill(name, self.scope), *value)
            if item.else_ is not None:
                self.previous = value

    def place(self, item: Item, path: Path, slot: tuple[int, ...]) -> None:
        """An item that is there: make its step and give its value a name."""
        name = self.attribute(item, path)
        inputs = self.input_values(item, path)
        where = self.dotted(name or item.as_ or item.label)
        made = self.made(item, inputs, path, slot, where) if inputs is not None else None
        label = item.as_ or (name if item.name else None) or item.label
        if made is None:
            self.fail(item, name, label)
            return
        target, output, trees = made
        registered = name is not None and (not isinstance(target, Op) or target.module is not None or target.raw)
        if not self.check_place(item, target, registered, path, where):
            self.fail(item, name, label)
            return
        assert inputs is not None
        step = Step(
            target, tuple(ref for ref, _ in inputs), output, name if registered else None, label,
            item.train_only, False, path, slot, self.indices, trees,
        )  # fmt: skip
        self.add(item, step, name)

    def fail(self, item: Item, name: str | None, label: str) -> None:
        """After a mistake the value of an item is unknown; what depends on it is passed over in silence."""
        self.failed = True
        if name is not None:
            self.modules[name] = _FAILED
        self.settle(item, label, (Ref(-1), None))

    def skip(self) -> None:
        """After a mistake it is unknown whether an item is there: so is every name that is not known by now."""
        self.failed = self.gaps = True
        self.previous = (Ref(-1), None)

    def add(self, item: Item, step: Step, name: str | None) -> None:
        number = len(self.steps)
        self.steps.append(step)
        if len(self.steps) > self.owner.max_nodes:
            self.problem("limit", f"more than {self.owner.max_nodes:,} nodes", step.path)
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
        if not item.train_only and not _is_raw(item):
            self.previous = value

    def name_value(self, name: str, ref: Ref, value: Value | None) -> None:
        self.names[name] = (ref, value)
        bind_value(self.scope, name, value)

    def attribute(self, item: Item, path: Path) -> str | None:
        """The name an item's module is registered under: its own, or the next number in a seq."""
        number = str(self.counter) if self.in_seq else None
        name = number if item.name is None else self.filled(item.name, path)
        self.counter += self.in_seq and item.call is None
        if name is not None and name in self.modules:
            self.problem("reference", f"there are two items named '{name}'", path,
                         help="a repeated item needs its index in its name: 'x{i}'" if item.repeat else "")  # fmt: skip
            self.failed = True
        return name

    def filled(self, name: str, path: Path) -> str | None:
        try:
            return fill(name, self.scope) if "{" not in name else check_name(fill(name, self.scope))
        except (ExpressionError, ValueError) as error:
            self.problem("expression", str(error), path)
            self.failed = True
            return None

    def check_place(self, item: Item, target: Op | Module | int, registered: bool, path: Path, where: str) -> bool:
        """Whether a target can stand here: in a seq only modules, without a name only what has no parameters."""
        if isinstance(target, Op) and not registered and target.function(*[(1, 1, 1)] * 2) is None:
            self.problem("schema", f"{target.kind} is a module: it needs a name to be registered under", path, where)
        elif isinstance(target, Op) and self.in_seq and target.module is None:
            self.problem("schema", f"{target.kind} is a function, and a seq holds modules only", path, where)
        elif isinstance(target, Module) and not registered:
            self.problem("schema", "a block or seq needs a name to be registered under", path, where)
        elif self.in_seq and isinstance(target, int):
            self.problem("schema", "a seq cannot call a module again", path, where)
        else:
            return True
        return False

    # -- values ---------------------------------------------------------------------------------------------

    def input_values(self, item: Item, path: Path) -> list[tuple[Ref, Value | None]] | None:
        """What an item takes, or `None` if a reference leads nowhere."""
        if _is_raw(item):
            return []
        if item.from_ is None:
            return [self.previous]
        if self.in_seq:
            self.problem("schema", "an item of a seq takes the value before it; 'from' has no meaning", (*path, "from"))
            return None
        single = len(item.from_) == 1
        paths = [(*path, "from") if single else (*path, "from", i) for i in range(len(item.from_))]
        values: list[tuple[Ref, Value | None] | None] = []
        for name, place in zip(item.from_, paths, strict=True):
            values += self.lists[name] if name in self.lists else [self.reference(name, place)]
        return None if None in values else values  # type: ignore[return-value]

    def reference(self, name: str, path: Path) -> tuple[Ref, Value | None] | None:
        """The value a name stands for: `conv1`, `input`, or a part of several, `halves.0`."""
        name = (self.filled(name, path) or "") if "{" in name else name
        base, _, part = (name or "").partition(".")
        if name in self.names:
            return self.names[name]
        if base not in self.names and self.gaps:
            return Ref(-1), None
        if base not in self.names:
            self.problem("reference", f"there is no value '{base}' before this", path, help=nearest(base, self.names))
            self.failed = True
            return None
        ref, value = self.names[base]
        if value is None:
            return ref, None
        if not isinstance(value[0], tuple) or not part.isdecimal() or int(part) >= len(value):
            self.problem("reference", f"'{base}' has no part '{part}'", path)
            self.failed = True
            return None
        return Ref(ref.step, int(part)), value[int(part)]

    def evaluate(self, given: Any, path: Path) -> Any:
        """A value of the spec, or `_WRONG` after a mistake."""
        return self.evaluate_symbolic(given, path)[0]

    def evaluate_symbolic(self, given: Any, path: Path) -> tuple[Any, ast.expr]:
        if not self.owner.carry and not isinstance(given, str | list):
            return given, _NO_TREE
        try:
            if self.owner.carry:
                value, tree = symbolic(given, self.scope)
                return value, tree_of(value) if tree is None else tree
            return evaluate(given, self.scope), _NO_TREE
        except Unknown:
            self.failed = True
        except UnknownName as error:
            if not self.gaps:
                self.problem("expression", str(error), path, help=nearest(error.name, error.known))
        except ExpressionError as error:
            self.problem("expression", str(error), path)
        return _WRONG, _NO_TREE

    def control(self, keyword: str, given: Any, path: Path, slot: tuple[int, ...]) -> Any:
        """The value of a `when` or `repeat`, its expression noted for code generation."""
        value, tree = self.evaluate_symbolic(given, (*path, keyword))
        if self.owner.carry:
            self.controls[Control(keyword, slot, tuple(self.indices.items()))] = tree
        return value

    # -- targets --------------------------------------------------------------------------------------------

    def made(
        self, item: Item, inputs: list[tuple[Ref, Value | None]], path: Path, slot: tuple[int, ...], where: str
    ) -> Made | None:
        """What an item comes to. One that is all literals comes to the same for inputs of the same shapes."""
        if self.owner.carry or not item.is_literal:
            return self.make(item, inputs, path, slot, where)
        key = (id(item), *(value for _, value in inputs))
        found = self.owner.made.get(key)
        if found is None:
            found = self.make(item, inputs, path, slot, where)
            if found is not None:
                self.owner.made[key] = found
        return found

    def make(
        self, item: Item, inputs: list[tuple[Ref, Value | None]], path: Path, slot: tuple[int, ...], where: str
    ) -> tuple[Op | Module | int, Value, dict[str, ast.expr]] | None:
        """What an item runs, the shape it yields, and its arguments' expressions; `None` after a mistake."""
        if item.call is not None:
            return self.make_call(item, inputs, path, where)
        if item.seq is not None:
            return self.make_seq(item.seq, inputs, path, slot, where)
        evaluated = self.arguments(item, path)
        if evaluated is None:
            return None
        if item.block is not None:
            return self.make_block(item, item.block, *evaluated, inputs, path, where)
        return self.make_op(item, *evaluated, inputs, path, where)

    def arguments(self, item: Item, path: Path) -> tuple[dict[str, Any], dict[str, ast.expr]] | None:
        values, trees = {}, {}
        for name, given in item.arguments.items():
            values[name], tree = self.evaluate_symbolic(given, (*path, name))
            if self.owner.carry and _has_expression(given):
                trees[name] = tree
        return None if any(value is _WRONG for value in values.values()) else (values, trees)

    def make_op(
        self, item: Item, arguments: dict[str, Any], trees: dict[str, ast.expr],
        inputs: list[tuple[Ref, Value | None]], path: Path, where: str,
    ) -> tuple[Op, Value, dict[str, ast.expr]] | None:  # fmt: skip
        kind, tree = self.evaluate_symbolic(item.op, (*path, "op"))
        if self.owner.carry and expressions.is_expression(item.op):
            trees = {**trees, "op": tree}
        if not isinstance(kind, str) or kind not in OPS:
            if kind is not _WRONG:
                self.problem(
                    "reference", f"there is no op '{kind}'", (*path, "op"), where, help=nearest(str(kind), OPS)
                )
            return None
        op = self.owner.op(kind, arguments, self.pinned or path, where, self.pinned is not None)
        if op is None or not self.check_inputs(op, inputs, path, where):
            return None
        dims = {name: value for name, value in arguments.items() if isinstance(value, Dim)}
        op = op.model_copy(update=dims) if dims else op
        output = self.infer(op, inputs, path, where)
        return None if output is None else (op, output, trees)

    def check_inputs(self, op: Op, inputs: list[tuple[Ref, Value | None]], path: Path, where: str) -> bool:
        """Whether an op gets as many tensors as it takes."""
        least, most = op.arity
        if len(inputs) < least or (most is not None and len(inputs) > most):
            wanted = _values(least) if most == least else f"at least {_values(least)}"
            self.problem("reference", f"{op.kind} takes {wanted}, and gets {len(inputs)}", path, where,
                         help="list them: from: [a, b]" if least > 1 else "")  # fmt: skip
            return False
        for _, value in inputs:
            if value and isinstance(value[0], tuple):
                self.problem("reference", f"{op.kind} takes one tensor, and gets {len(value)} parts", path, where,
                             help="refer to one of them: from: name.0")  # fmt: skip
                return False
        return all(value is not None for _, value in inputs)

    def infer(self, op: Op, inputs: list[tuple[Ref, Value | None]], path: Path, where: str) -> Value | None:
        try:
            output = op.infer(*[value for _, value in inputs])  # type: ignore[arg-type]
        except ShapeError as error:
            self.problem("shape", str(error), path, where, error.help, self.origins(inputs))
            return None
        if not _is_parts(output) and numel(output) > MAX_ELEMENTS:  # type: ignore[arg-type]
            self.problem("limit", "more than 2^62 elements", path, where, notes=self.origins(inputs))
            return None
        return output

    def origins(self, inputs: list[tuple[Ref, Value | None]]) -> tuple[str, ...]:
        """Where each input of a failing item came from, and its shape."""
        rows = [(self.title(ref), format_shape(value), self.origin(ref)) for ref, value in inputs]
        first, second = (max(len(row[i]) for row in rows) for i in (0, 1))
        return tuple(
            f"{name:{first}}  {shape:{second}}  {origin if origin != f'from {name}' else ''}".rstrip()
            for name, shape, origin in rows
        )

    def title(self, ref: Ref) -> str:
        return list(self.inputs)[-1 - ref.step] if ref.step < 0 else self.steps[ref.step].label

    def origin(self, ref: Ref) -> str:
        while ref.step >= 0 and self.keeps_shape(self.steps[ref.step]):
            (ref,) = self.steps[ref.step].inputs
        if ref.step < 0:
            return f"the input of {self.where}" if self.where else "the network's input"
        step = self.steps[ref.step]
        return f"from {self.dotted(step.name or step.label)}{_stride_note(step)}"

    def keeps_shape(self, step: Step) -> bool:
        """Whether what is wrong with a value's shape was so before this step."""
        return isinstance(step.target, Op) and len(step.inputs) == 1 and self.value(step.inputs[0]) == step.output

    def make_block(
        self, item: Item, name: str, arguments: dict[str, Any], trees: dict[str, ast.expr],
        inputs: list[tuple[Ref, Value | None]], path: Path, where: str,
    ) -> tuple[Module, Value, dict[str, ast.expr]] | None:  # fmt: skip
        found = self.owner.block(name)
        if found is None:
            known = [*self.owner.network.blocks, *library.names()]
            self.problem("reference", f"there is no block '{name}'", (*path, "block"), where, nearest(name, known))
            return None
        block, _ = found
        if not self.check_arguments(name, block, arguments, inputs, path, where):
            return None
        values = {n: value for n, (_, value) in zip(block.inputs, inputs, strict=True)}
        if any(value is None for value in values.values()):
            return None
        module = self.owner.instance(name, arguments, values, where, self.pinned or path)  # type: ignore[arg-type]
        if module is None:
            self.failed = True
            return None
        output = self.translate(module, block, arguments, trees, inputs) if self.owner.carry else module.output
        return module, output, trees

    def check_arguments(
        self, name: str, block: Block, arguments: dict[str, Any], inputs: list[Any], path: Path, where: str
    ) -> bool:
        known = len(self.owner.problems)
        for stray in arguments.keys() - block.params.keys():
            help = nearest(stray, block.params) or "it has no parameters"
            self.problem("reference", f"{name} has no parameter '{stray}'", (*path, stray), where, help)
        meant = [nearest(stray, block.params) for stray in arguments.keys() - block.params.keys()]
        missing = [p for p, default in block.params.items() if default is None and p not in arguments]
        missing = [p for p in missing if f"did you mean '{p}'?" not in meant]
        if missing:
            self.problem("reference", f"{name} needs {', '.join(missing)}", path, where)
        if len(inputs) != len(block.inputs):
            message = f"{name} takes {_values(len(block.inputs))}, and gets {len(inputs)}"
            self.problem("reference", message, path, where)
        return len(self.owner.problems) == known

    def translate(
        self, module: Module, block: Block, arguments: dict[str, Any], trees: dict[str, ast.expr], inputs: list[Any]
    ) -> Value:
        """A block's output shape in the names of the block around it."""
        names: dict[str, ast.expr] = {}
        for (input_name, inner), (_, outer) in zip(zip(block.inputs, module.inputs, strict=True), inputs, strict=True):
            if inner and isinstance(inner[0], Dim):
                names[input_symbol(input_name, inner, block)] = tree_of(outer[0])
        for name in block.params:
            value = arguments.get(name, module.arguments[name])
            given = trees.get(name)
            names[name] = given if given is not None else tree_of(int_of(value))
        for name, tree in module.let_trees.items():
            names[name] = substitute(tree, names)
        return _map_dims(module.output, lambda dim: Dim(int(dim), substitute(dim.tree, names)))

    def make_seq(
        self, items: list[Item], inputs: list[tuple[Ref, Value | None]], path: Path, slot: tuple[int, ...], where: str
    ) -> tuple[Module, Value, dict[str, ast.expr]] | None:
        if len(inputs) != 1:
            self.problem("reference", f"a seq takes one value, and gets {len(inputs)}", path, where)
            return None
        if inputs[0][1] is None:
            return None
        frame = _Frame(self.owner, {"input": inputs[0][1]}, path, where)
        frame.pinned, frame.in_seq = self.pinned, True
        frame.scope, frame.indices = dict(self.scope), self.indices
        frame.run(items, (*path, "seq"), slot)
        if frame.failed or frame.previous[1] is None:
            self.failed = True
            return None
        module = frame.finish("")
        return None if module is None else (module, module.output, {})

    def make_call(
        self, item: Item, inputs: list[tuple[Ref, Value | None]], path: Path, where: str
    ) -> tuple[int, Value, dict[str, ast.expr]] | None:
        assert item.call is not None
        name = self.filled(item.call, path)
        if name not in self.modules and self.gaps:
            return None
        if name not in self.modules:
            self.problem("reference", f"there is no module '{name}' before this", (*path, "call"), where,
                         nearest(str(name), self.modules))  # fmt: skip
            return None
        number = self.modules[name]
        if number == _FAILED:
            return None
        output = self.call_output(self.steps[number], inputs, path, where)
        return None if output is None else (number, output, {})

    def call_output(self, step: Step, inputs: list[tuple[Ref, Value | None]], path: Path, where: str) -> Value | None:
        """What a module yields when it runs again; its parameters must fit the new input."""
        target, before = step.target, [self.value(ref) for ref in step.inputs]
        if isinstance(target, Op) and self.check_inputs(target, inputs, path, where):
            now: list[Shape] = [value for _, value in inputs]  # type: ignore[misc]
            output = self.infer(target, inputs, path, where)
            if output is None or target.parameters(*now) == target.parameters(*before):  # type: ignore[arg-type]
                return output
        elif isinstance(target, Module) and [value for _, value in inputs] == before:
            return step.output
        if all(value is not None for _, value in inputs):
            self.problem("shape", f"{step.name} was made for {' and '.join(map(format_shape, before))}", path, where,
                         notes=self.origins(inputs))  # fmt: skip
        return None

    def value(self, ref: Ref) -> Value | None:
        whole: Any = list(self.inputs.values())[-1 - ref.step] if ref.step < 0 else self.steps[ref.step].output
        value: Value | None = whole if ref.part is None else whole[ref.part]
        return value

    # -- the rest of a body ---------------------------------------------------------------------------------

    def registration(self, names: list[str] | None, path: Path) -> tuple[int, ...] | None:
        """The order of registration: the listed modules come last, in the order they are listed."""
        if names is None:
            return None
        unknown = [name for name in names if name not in self.modules and not self.gaps]
        if unknown:
            self.problem(
                "reference", f"there is no module '{unknown[0]}'", path, help=nearest(unknown[0], self.modules)
            )
            return None
        last = dict.fromkeys(self.modules.get(name, _FAILED) for name in names)
        return (*(i for i in range(len(self.steps)) if i not in last), *last)

    def rules(self, rules: list[InitRule], path: Path) -> Iterator[InitRule]:
        """The initialisation rules that hold here, with their expressions evaluated."""
        for number, rule in enumerate(rules):
            if rule.when is None or self.evaluate(rule.when, (*path, number, "when")):
                filled = {
                    name: self.initialiser(given, (*path, number, name)) for name, given in rule.parameters.items()
                }
                yield rule.model_copy(update={"parameters": filled, "when": None})

    def initialiser(self, given: Any, path: Path) -> Any:
        """An initialiser with its expressions evaluated; those over the module's own attributes stay as they are."""
        name, arguments = parse_initialiser(given)
        filled = {name: {key: self.of_parameters(value, (*path, name, key)) for key, value in arguments.items()}}
        if not any(value is _WRONG for value in filled[name].values()):
            try:
                parse_initialiser(filled)
            except ValueError as error:
                self.problem("expression", str(error).partition(";")[0], path)
        return filled

    def of_parameters(self, given: Any, path: Path) -> Any:
        """The value of an argument; of one over attributes of the module, the expression with all else filled in."""
        if not of_module(given):
            return self.evaluate(given, path)
        expression = expressions.parse(given)
        values = {name: self.evaluate(f"={name}", path) for name in sorted(expression.names - MODULE_ATTRIBUTES)}
        if any(value is _WRONG for value in values.values()):
            return _WRONG
        trees = {name: tree_of(int_of(value)) for name, value in values.items()}
        return f"={ast.unparse(substitute(expression.tree, trees))}" if trees else given

    def outputs(self, network: Network) -> Outputs | None:
        if network.outputs is None:
            return None
        fields = {}
        for field, name in network.outputs.fields.items():
            found = self.reference(name, ("outputs", "fields", field))
            if found is not None:
                fields[field] = found[0]
        return Outputs(network.outputs.type, fields)

    def dotted(self, name: str) -> str:
        return f"{self.where}.{name}" if self.where else name

    def problem(
        self, kind: str, message: str, path: Path, where: str = "", help: str = "", notes: tuple[str, ...] = ()
    ) -> None:
        self.owner.problem(kind, message, self.pinned or path, where or self.where, help, notes)


MODULE_ATTRIBUTES: Final = frozenset({"in_channels", "in_features", "num_features"}.union(
    *(op.model_fields for op in OPS.values() if op.module is not None)))  # fmt: skip
"""What expressions of initialisation rules may read of the module they fill: its attributes in torch."""


def of_module(given: Any) -> bool:
    """Whether an initialiser's argument is an expression over attributes of the module it fills."""
    return expressions.is_expression(given) and bool(expressions.parse(given).names & MODULE_ATTRIBUTES)


def list_names(items: list[Item]) -> set[str]:
    """The lists that a body's items append to; they are empty at first."""
    own = {item.append for item in items if item.append is not None}
    return own.union(*(list_names(item.layers) for item in items if item.layers is not None))


def _is_raw(item: Item) -> bool:
    """Whether an item is a parameter: it takes no value, and the next item does not take its."""
    return item.op in OPS and OPS[item.op].raw


_NO_TREE: Final = ast.Constant(None)
_WRONG: Final = object()
"""The value of an expression that has none, because of a mistake that has been reported."""
_FAILED: Final = -1
"""Stands for the step of a module that could not be made: calls of it stay silent."""


def class_name(name: str) -> str:
    """The generated class's name, where the spec gives none: `resnet_101` → `Resnet101`.

    >>> class_name("my_net")
    'MyNet'
    """
    return "".join(part[0].upper() + part[1:] for part in name.split("_") if part)


def input_symbol(name: str, shape: Value, block: Block) -> str:
    """What generated code calls the channels of a block's input."""
    base = "in_channels" if len(shape) == 3 else "in_features"
    symbol = base if name == "input" else f"{name}_{base.removeprefix('in_')}"
    taken = block.params.keys() | block.let.keys()
    return f"{symbol}_" if symbol in taken else symbol


def _is_parts(value: Value) -> bool:
    return bool(value) and isinstance(value[0], tuple)


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"


def int_of(value: Any) -> Any:
    """A plain number for a `Dim`; anything else as it is."""
    return int(value) if isinstance(value, Dim) else value


def _map_dims(value: Value, change: Callable[[Dim], int]) -> Value:
    parts = (
        _map_dims(part, change) if isinstance(part, tuple) else change(part) if isinstance(part, Dim) else part
        for part in value
    )
    return ChannelsLast(parts) if isinstance(value, ChannelsLast) else tuple(parts)  # type: ignore[arg-type, return-value]


def _hashable(arguments: dict[str, Any]) -> Any:
    return tuple((name, _frozen(value) if type(value) in _TELLING else value) for name, value in arguments.items())


_TELLING: Final = frozenset({float, bool, list, tuple})
"""Types whose values must not be taken for a whole number that is equal to them, or cannot be keys."""


def _frozen(value: Any) -> Any:
    """A value as a key of a dict: `True` and 1, or 1 and 1.0, are different arguments."""
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    return (value, "float") if isinstance(value, float) else (value, "bool") if isinstance(value, bool) else value


def _has_expression(given: Any) -> bool:
    return expressions.is_expression(given) or (isinstance(given, list) and any(map(_has_expression, given)))


def _kind_of(steps: list[Step], step: Step) -> str:
    target = step.target
    if isinstance(target, int):
        return _kind_of(steps, steps[target])
    return target.kind if isinstance(target, Op) else target.definition or "seq"


def _stride_note(step: Step) -> str:
    stride = getattr(step.target, "stride", None)
    return f" (stride {stride})" if stride is not None else ""
