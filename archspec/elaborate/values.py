"""The values of a block while it is elaborated: what names and expressions stand for, and where shapes came from."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Final

from archspec.definition import Position
from archspec.elaborate.names import input_symbol, is_raw, symbolic_axis
from archspec.errors import Edge, Path, Row, nearest
from archspec.expressions import Dim, ExpressionError, UnknownName, has_expression, plain, tree_of
from archspec.fields import check_name
from archspec.graph import Condition, Count, Ref, Rule, Step
from archspec.language import Block, Item, Network
from archspec.ops.base import Op, Value, format_shape, is_parts
from archspec.scope import (
    Scope,
    Unknown,
    bind_value,
    evaluate,
    fill,
    is_long,
    is_whole,
    substitute,
    symbolic,
)

if TYPE_CHECKING:
    from archspec.elaborate import Elaborator

NO_TREE: Final = ast.Constant(None)


class TooLong(Exception):
    """The expression of a size has become too long to be written as source, or has no name to be written with."""


WRONG: Final = object()
"""The value of an expression that has none, because of a mistake that has been reported."""


class Values:
    """The names of one line of items, and the values behind them."""

    def __init__(self, owner: Elaborator, inputs: dict[str, Value], path: Path, where: str) -> None:
        self.owner = owner
        self.inputs = inputs
        self.path = path
        self.where = where
        self.pinned: Path | None = None
        """Set inside library blocks: mistakes are shown at the item that uses the block."""
        self.scope: Scope = {}
        self.symbols: dict[str, ast.expr] = {}
        self.whole: dict[str, ast.expr] = {}
        """The expressions of local names, with those before put in."""
        self.defaults: dict[str, ast.expr] = {}
        """The expressions of parameters that have their default."""
        self.steps: list[Step] = []
        self.names: dict[str, tuple[Ref, Value | None]] = {}
        self.modules: dict[str, int] = {}
        self.lists: dict[str, list[tuple[Ref, Value | None]]] = {}
        self.indices: dict[str, int] = {}
        self.conditions: dict[Position, Condition] = {}
        self.counts: dict[Position, Count] = {}
        self.written: tuple[Rule, ...] = ()
        self.in_seq = False
        self.counter = 0
        self.failed = False
        self.placed: tuple[Item, str | None, list[tuple[Ref, Value | None]]] | None = None
        """The item that is being made: the name it is registered under, and its inputs."""
        self.runs: Op | int | None = None
        """What it runs: an op, or by its number the step whose module runs again."""
        self.gaps = False
        """Set when items were passed over, so that names may be missing through no fault of who uses them."""
        self.begun: dict[int, list[Item]] = {}
        """The items of this line and of the groups in it, by identity: a group may be repeated."""
        self.missing: frozenset[str] = frozenset()
        """Parameters without a value, through a mistake: what depends on them stays silent."""
        for number, (name, value) in enumerate(inputs.items()):
            self.names[name] = (Ref(-1 - number), value)
        self.previous: tuple[Ref, Value | None] = next(iter(self.names.values()))

    def bind(self, body: Network | Block, arguments: dict[str, Any], path: Path) -> None:
        """Fill the scope with the inputs' shapes, the parameters and the local names."""
        if self.owner.carry:
            self.name_inputs(body)
        for name, value in self.inputs.items():
            bind_value(self.scope, name, value)
        for name, default in body.params.items():
            if name in arguments:
                self.bind_name(name, arguments[name])
            elif default is None and isinstance(body, Network):
                self.bind_name(name, WRONG)
            elif has_expression(default):
                self.bind_default(name, default, (*path, "params", name), isinstance(body, Network))
            else:
                self.bind_name(name, self.evaluate(default, (*path, "params", name)))
        for name, given in body.let.items():
            self.bind_local(name, given, (*path, "let", name))

    def bind_default(self, name: str, given: Any, path: Path, in_network: bool) -> None:
        """A default that is calculated from others. A network's has no caller: it is a local name."""
        if in_network:
            self.bind_local(name, given, path)
            return
        bound, self.defaults[name] = self.evaluate_symbolic(given, path)
        self.bind_name(name, bound)

    def bind_local(self, name: str, given: Any, path: Path) -> None:
        bound, tree = self.evaluate_symbolic(given, path)
        if self.owner.carry:
            self.whole[name] = substitute(tree, self.whole)
            if is_long(self.whole[name]):
                raise TooLong
        self.symbols[name] = tree
        self.bind_name(name, bound)

    def bind_name(self, name: str, value: Any) -> None:
        """Give a parameter or local name its value; one that has none, after a mistake, is missing."""
        if value is WRONG:
            self.failed = True
            self.missing |= {name}
        else:
            self.scope[name] = self.symbol(name, value)

    def symbol(self, name: str, value: Any) -> Any:
        """A parameter as its block sees it: a number that is called by the parameter's name."""
        if not self.owner.carry or self.owner.frozen:
            return value
        return Dim(int(value), ast.Name(name, ast.Load())) if is_whole(value) else plain(value)

    def name_inputs(self, body: Network | Block) -> None:
        """Give the channels of the inputs a name of their own (`in_channels`). A network's input is a constant."""
        if not isinstance(body, Block) or self.owner.frozen:
            return
        for name, value in self.inputs.items():
            if value and isinstance(value[0], tuple):  # the sizes of parts have no names: the file has numbers
                raise TooLong
            if value and not isinstance(value[0], tuple):
                symbol = input_symbol(name, value, body.params.keys() | body.let.keys())
                axis = symbolic_axis(value)
                plain = [*map(int, value)]
                sizes = (*plain[:axis], Dim(plain[axis], ast.Name(symbol, ast.Load())), *plain[axis + 1 :])
                self.inputs[name] = type(value)(sizes)
        self.names = {n: (ref, self.inputs[n]) for n, (ref, _) in self.names.items()}
        self.previous = next(iter(self.names.values()))

    def name_value(self, name: str, ref: Ref, value: Value | None) -> None:
        self.names[name] = (ref, value)
        bind_value(self.scope, name, value)

    def filled(self, name: str, path: Path, declares: bool = True) -> str | None:
        """A name with its expressions filled in; one that `declares` nothing may be of a part, `halves.{i}`."""
        try:
            found = fill(name, self.scope)
            return check_name(found) if declares and "{" in name else found
        except ExpressionError as error:
            self.problem("expression", str(error), path, word=error.word, help=error.help)
        except ValueError as error:
            self.problem("expression", str(error), path)
        self.failed = True
        return None

    def reference(self, name: str, path: Path, when: str = " before this") -> tuple[Ref, Value | None] | None:
        """The value a name stands for: `conv1`, `input`, or a part of several, `halves.0`."""
        whole = self.filled(name, path, declares=False)
        if whole is None:
            return None
        base, _, part = whole.partition(".")
        if whole in self.names:
            return self.names[whole]
        if base not in self.names and self.gaps:
            return Ref(-1), None
        if base not in self.names:
            later = f"'{base}' comes later: an item takes values from before it"
            self.problem("reference", f"there is no value '{base}'{when}", path, word=base,
                         help=later if when and self.is_named(base) else nearest(base, self.names))  # fmt: skip
            self.failed = True
            return None
        ref, value = self.names[base]
        if value is None:
            return ref, None
        if not is_parts(value) or not part.isdecimal() or int(part) >= len(value):
            help = f"its parts are {base}.0 to {base}.{len(value) - 1}" if is_parts(value) else "it is one value"
            self.problem("reference", f"'{base}' has no part '{part}'", path, help=help)
            self.failed = True
            return None
        return Ref(ref.step, int(part)), value[int(part)]  # type: ignore[return-value]

    def lasting(
        self, name: str, path: Path, train_only: bool = False, when: str = " before this"
    ) -> tuple[Ref, Value | None] | None:
        """A value that is there in evaluation, too, unless what reads it runs in training only itself."""
        found = self.reference(name, path, when)
        if found is None or train_only or found[0].step < 0 or not self.steps[found[0].step].train_only:
            return found
        self.problem("reference", f"'{name}' is train_only: in evaluation it has no value", path,
                     help="only items that are train_only themselves, and later outputs, can read it")  # fmt: skip
        self.failed = True
        return None

    def is_named(self, name: str) -> bool:
        """Whether an item gives a value this name, here or further down."""
        return any(name in (item.as_, item.name) for items in self.begun.values() for item in items)

    def input_values(self, item: Item, path: Path) -> list[tuple[Ref, Value | None]] | None:
        """What an item takes, or `None` if a reference leads nowhere."""
        if is_raw(item):
            return []
        if item.from_ is None:
            return [self.previous]
        if self.in_seq:
            self.problem("schema", "an item of a seq takes the value before it: 'from' has no meaning", (*path, "from"),
                         help="write layers in a block in place of the seq", about_key=True)  # fmt: skip
            return None
        single = len(item.from_) == 1
        paths = [(*path, "from") if single else (*path, "from", i) for i in range(len(item.from_))]
        values: list[tuple[Ref, Value | None] | None] = []
        for name, place in zip(item.from_, paths, strict=True):
            values += self.lists[name] if name in self.lists else [self.lasting(name, place, item.train_only)]
        return None if None in values else values  # type: ignore[return-value]

    def evaluate(self, given: Any, path: Path) -> Any:
        """A value of the spec, or `WRONG` after a mistake."""
        return self.evaluate_symbolic(given, path)[0]

    def evaluate_symbolic(self, given: Any, path: Path) -> tuple[Any, ast.expr]:
        if not isinstance(given, str | list):
            return given, ast.Constant(given) if self.owner.carry else NO_TREE
        try:
            if self.owner.carry:
                value, tree = symbolic(given, self.scope)
                if self.owner.frozen:
                    return plain(value), tree_of(plain(value))
                if tree is not None and is_long(tree):
                    raise TooLong
                if tree is None:
                    return value, tree_of(value)
                return (Dim(int(value), self.unrolled(tree)) if isinstance(value, Dim) else value), tree
            return evaluate(given, self.scope), NO_TREE
        except Unknown:
            self.failed = True
        except ExpressionError as error:
            if not (isinstance(error, UnknownName) and (self.gaps or error.word in self.missing)):
                self.problem("expression", str(error), path, word=error.word, help=error.help)
        return WRONG, NO_TREE

    def unrolled(self, tree: ast.expr) -> ast.expr:
        """An expression with the loop indices as numbers: what a size says must hold outside its round, too."""
        return substitute(tree, {name: ast.Constant(k) for name, k in self.indices.items()})

    def value(self, ref: Ref) -> Value | None:
        whole: Any = list(self.inputs.values())[-1 - ref.step] if ref.step < 0 else self.steps[ref.step].output
        value: Value | None = whole if ref.part is None else whole[ref.part]
        return value

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

    def edges(self, inputs: list[tuple[Ref, Value | None]]) -> tuple[Edge, ...]:
        """The inputs of a failing item, with their shapes and where these came from."""
        return tuple(Edge(self.title(ref), format_shape(value), self.origin(ref)) for ref, value in inputs)

    def dotted(self, name: str) -> str:
        return f"{self.where}.{name}" if self.where else name

    def trail(self) -> list[Row]:
        """The steps made so far."""
        return [Row(self.dotted(step.name or step.label), _kind_of(self.steps, step), format_shape(step.output))
                for step in self.steps]  # fmt: skip

    def problem(self, kind: str, message: str, path: Path, where: str = "", **more: Any) -> None:
        self.owner.problem(kind, message, self.pinned or path, where or self.where, **more)


def _kind_of(steps: list[Step], step: Step) -> str:
    target = step.target
    if isinstance(target, int):
        return _kind_of(steps, steps[target])
    return target.kind if isinstance(target, Op) else target.definition or "seq"


def _stride_note(step: Step) -> str:
    stride = getattr(step.target, "stride", None)
    return f" (stride {stride})" if stride is not None else ""
