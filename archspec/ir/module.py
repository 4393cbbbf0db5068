"""Modules: instances of blocks, with every argument bound and every shape known.

A module is a straight line of `Step`s; each step runs an op, a sub-module, or a module that ran before. Equal block
instances (same block, arguments and input shapes) are one and the same `Module` object, so that a network of 50
residual blocks is a handful of modules, and what is computed per module (`params`, `macs`, …) is computed once.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

from archspec.ir.container import Entry, leaves, tree_of
from archspec.ir.definition import Definition, Initialisation, Position, input_names
from archspec.ops.base import Op
from archspec.ops.collect import Collect
from archspec.ops.shapes import Shape, Value, format_shape, numel

Path = tuple[str | int, ...]


class Ref(NamedTuple):
    """A value inside a module: the output of step `step`, or input number `-1 - step`; `part` of several."""

    step: int
    part: int | None = None


class Condition(NamedTuple):
    """The condition of an item: its expression, its value, and what is used in the item's place if it is false."""

    tree: ast.expr
    holds: bool
    otherwise: Ref


class Count(NamedTuple):
    """How often an item is repeated: the expression and its value."""

    tree: ast.expr
    number: int


class Rule(NamedTuple):
    """An initialisation rule as written: its condition, and the expressions of its arguments, by parameter and
    argument. Attribute names in them refer to the module that is initialised."""

    when: Condition | None
    trees: Mapping[tuple[str, str], ast.expr]


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """One thing a module does.

    `target` is the op or sub-module that runs, or the number of an earlier step whose module runs again.
    `name` is the attribute the target is registered under, or a path to an entry of a container (`convs.0`); `None` for
    functions and calls. `label` names the value in messages and generated code.
    """

    target: Op | Module | int
    inputs: tuple[Ref, ...]
    output: Value
    name: str | None
    label: str
    train_only: bool = False
    inplace: bool = False
    path: Path = ()
    """The path of the step's item in the spec."""
    position: Position = ()
    """The position in the definition of the item it comes from, with the rounds of its repeats."""
    indices: Mapping[str, int] = field(default_factory=dict)
    """The loop indices of the repeats around the item."""
    trees: Mapping[str, ast.expr] = field(default_factory=dict)
    """For code generation: the arguments that were given as expressions, in the block's own names."""
    dropped: bool = False
    """Whether it never runs, and what it owns is removed once the module has been constructed and initialised."""
    failure: str = ""
    """Why it cannot run; set only in partial networks, which end at such a step and can only be drawn."""

    @property
    def place(self) -> Position:
        """Its position without the rounds: the same for all rounds of an item."""
        return self.position[::2]

    def __repr__(self) -> str:
        what = self.target if isinstance(self.target, int) else type(self.target).__name__
        return f"Step({self.label}: {what}{list(self.inputs)} → {self.output})"


@dataclass(frozen=True, eq=False)
class Module:
    """An instance of a block (or a `seq`) with its arguments bound and every shape known."""

    definition: str
    """The block's name; empty for a seq."""
    inputs: tuple[Shape, ...]
    steps: tuple[Step, ...]
    result: Ref
    arguments: Mapping[str, Any] = field(default_factory=dict)
    lets: Mapping[str, Any] = field(default_factory=dict)
    dropped: tuple[Step, ...] = ()
    """Steps that follow the others, and never run: what they own is constructed and initialised with the module, and
    then removed. Their numbers go on from those of the others."""
    registration: tuple[int, ...] | None = None
    """The steps, dropped ones included, in the order their modules are registered, where that is not the order they
    run in."""
    construction: tuple[int, ...] | None = None
    """The same in the order their modules are constructed, where that is not the order they are registered in."""
    init: tuple[Initialisation, ...] = ()
    """Initialisation rules, run when the module has been constructed."""
    let_trees: Mapping[str, ast.expr] = field(default_factory=dict)
    """For code generation: the expressions of the local names, in the block's own names."""
    conditions: Mapping[Position, Condition] = field(default_factory=dict)
    """For code generation: the conditions of items, in the block's own names, by the items' positions."""
    counts: Mapping[Position, Count] = field(default_factory=dict)
    """For code generation: the rounds of repeats, by the items' positions without the number of the round."""
    defaults: Mapping[str, ast.expr] = field(default_factory=dict)
    """For code generation: the expressions of parameters whose defaults are calculated from others."""
    rules: tuple[Rule, ...] = ()
    """For code generation: the expressions of all initialisation rules, those with false conditions included."""
    block: Definition | None = None
    """The definition that this is an instance of; `None` for a seq, whose items are in its block's definition."""

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the block's inputs."""
        return ("input",) if self.block is None else input_names(self.block.inputs, len(self.inputs))

    @property
    def is_seq(self) -> bool:
        """Whether this is a plain `seq`, not an instance of a block."""
        return not self.definition

    def value(self, ref: Ref) -> Value:
        """The shape of a value of this module."""
        value = self.inputs[-1 - ref.step] if ref.step < 0 else self.steps[ref.step].output
        return value if ref.part is None else value[ref.part]  # type: ignore[return-value]

    @cached_property
    def output(self) -> Value:
        """The shape of the module's output."""
        return self.value(self.result)

    @cached_property
    def output_names(self) -> tuple[str, ...]:
        """The names of its outputs, if it is a block with several."""
        is_whole = self.result.step >= 0 and self.result.part is None
        return names_of_parts(self.runs(self.steps[self.result.step])) if is_whole else ()

    @cached_property
    def whole(self) -> Module:
        """This module with the steps that are dropped among the others."""
        return replace(self, steps=(*self.steps, *self.dropped), dropped=()) if self.dropped else self

    def shapes(self, step: Step) -> tuple[Shape, ...]:
        """The shapes of a step's inputs."""
        found: tuple[Shape, ...] | None = self._shapes.get(step)
        if found is None:
            found = self._shapes[step] = tuple([self.value(ref) for ref in step.inputs])  # type: ignore[misc]
        return found

    @cached_property
    def _shapes(self) -> dict[Step, tuple[Shape, ...]]:
        return {}

    def leaf(self, step: Step) -> Iterator[tuple[str, Op, tuple[Shape, ...]]]:
        """The layer that a step registers, and those inside it that rules initialise, too: what follows the step's
        name, the op, and the shapes of its inputs. A parameter of the block itself is none."""
        op, shapes = step.target, self.shapes(step)
        if isinstance(op, Op) and not op.raw:
            yield "", op, shapes
            yield from ((f".{name}", inner, (shape,)) for name, (inner, shape) in op.inner_modules(*shapes).items())

    def owner(self, step: Step) -> Step:
        """The step that declares what a step runs: itself, unless it is a call."""
        while isinstance(step.target, int):
            step = self.steps[step.target]
        return step

    def runs(self, step: Step) -> Op | Module:
        """What a step runs, with calls followed."""
        return self.owner(step).target  # type: ignore[return-value]

    def is_like(self, other: Module) -> bool:
        """Whether another module is the same but for the rates at which branches are dropped in training.

        The blocks of a stage often differ in nothing else (stochastic depth); images and tables show them as one.
        """
        if self is other:
            return True
        heads = ((m.definition, m.inputs, m.result, len(m.steps)) for m in (self, other))
        return len(set(heads)) == 1 and all(map(_alike, self.steps, other.steps))

    def varied(self, ops: Mapping[int, Op], arguments: Mapping[str, Any]) -> Module:
        """Another instance of the block, in which the ops of these steps have other rates (`Op.varying`)."""
        steps = tuple(replace(step, target=ops[i]) if i in ops else step for i, step in enumerate(self.steps))
        other = replace(self, steps=steps, arguments=arguments)
        vars(other)["counted"] = self.counted
        return other

    @cached_property
    def counted(self) -> Module:
        """The module that is counted and measured in its place: this one, or one that differs in rates alone."""
        return self

    @cached_property
    def constructed(self) -> tuple[Step, ...]:
        """The steps that own a module or tensor, in the order of construction, in which random numbers are drawn."""
        if self.construction is not None:
            return tuple(leaves({name: self.tree[name] for name in self.names_constructed}))
        owners = self._owners()
        return tuple(leaves(self.tree)) if any("." in str(step.name) for step in owners) else owners

    @cached_property
    def names_constructed(self) -> tuple[str, ...]:
        """The names under which this module itself holds something, in the order in which it is constructed."""
        if self.construction is None:
            return tuple(self.tree)
        return tuple(dict.fromkeys(str(step.name).partition(".")[0] for step in self._named(self.construction)))

    @cached_property
    def tree(self) -> Mapping[str, Entry[Step]]:
        """The same as a tree, by the names under which this module holds them; containers hold further ones."""
        return tree_of((str(step.name), step) for step in self._owners())

    def _owners(self) -> tuple[Step, ...]:
        """The steps that own a module or tensor, before the entries of containers are put together."""
        return self._named(range(len(self.steps)) if self.registration is None else self.registration)

    def _named(self, order: Iterable[int]) -> tuple[Step, ...]:
        """The steps of these numbers that own something."""
        steps = self.steps
        return tuple(steps[i] for i in order if i < len(steps) and steps[i].name is not None)

    @cached_property
    def _registered(self) -> tuple[Step, ...]:
        """The steps that own a module or tensor, in the order of registration."""
        owners = self._owners()
        return tuple(leaves(self.tree)) if any("." in str(step.name) for step in owners) else owners

    @cached_property
    def registered(self) -> tuple[Step, ...]:
        """The steps that own a module or tensor in state_dict order: parameters first, then buffers, then modules."""
        return tuple(sorted(self._registered, key=_rank))

    @cached_property
    def computes(self) -> bool:
        """Whether it, or a module below it, owns tensors whose values are calculated at construction."""
        return any(step.target.computes if isinstance(step.target, Module) else is_buffer(step)
                   for step in self.constructed)  # fmt: skip

    @cached_property
    def size(self) -> int:
        """The number of steps, those of sub-modules counted as often as they are used, empty ones as one."""
        steps = (*self.steps, *self.dropped)
        return sum(max(1, step.target.counted.size) if isinstance(step.target, Module) else 1 for step in steps)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of one evaluation pass of one sample."""
        return sum(self.step_macs(step) for step in self.steps if not step.train_only and not step.dropped)

    def step_macs(self, step: Step) -> int:
        """The multiply-accumulates of one step."""
        target = self.runs(step)
        return (
            target.counted.macs if isinstance(target, Module) else target.macs_of_sample(self.shapes(step), step.output)
        )

    @cached_property
    def params(self) -> int:
        """Number of trainable parameters, training-only items included."""
        return sum(self.count(step, "params") for step in self.steps if not step.dropped)

    @cached_property
    def train_only_params(self) -> int:
        """Number of trainable parameters of training-only items."""
        kept = [step for step in self.steps if not step.dropped]
        return sum(self.count(step, "params" if step.train_only else "train_only_params") for step in kept)

    @cached_property
    def buffers(self) -> int:
        """Number of values in buffers, which are not trained."""
        return sum(self.count(step, "buffers") for step in self.steps if not step.dropped)

    @cached_property
    def removed(self) -> int:
        """How many numbers are constructed with it, in its parameters and buffers, and then removed."""
        inside = [step.target.removed for step in (*self.steps, *self.dropped) if isinstance(step.target, Module)]
        whole = self.whole
        return sum(inside) + sum(whole.count(step, "params") + whole.count(step, "buffers") for step in self.dropped)

    def count(self, step: Step, what: str) -> int:
        """The number of values in a step's `params`, `buffers` or `train_only_params` (`what`); 0 for a call."""
        if isinstance(step.target, int):
            return 0
        if isinstance(step.target, Module):
            return int(getattr(step.target.counted, what))
        if what == "train_only_params":
            return 0
        tensors = step.target.parameters if what == "params" else step.target.buffers
        return sum(numel(shape) for shape in tensors(*self.shapes(step)).values())

    @cached_property
    def measurements(self) -> dict[Any, Any]:
        """What `ir.measure` has found out about the module, for the next time."""
        return {}

    @cached_property
    def modules(self) -> tuple[Module, ...]:
        """This module and the different ones below it, each once, inner ones first."""
        found: dict[int, Module] = {}
        for step in (*self.steps, *self.dropped):
            if isinstance(step.target, Module):
                found.update((id(module), module) for module in step.target.modules)
        return (*found.values(), self)

    @cached_property
    def op_types(self) -> frozenset[type[Op]]:
        """The types of the ops in it and in the modules below it."""
        targets = [step.target for step in (*self.steps, *self.dropped)]
        below = [target.op_types for target in targets if isinstance(target, Module)]
        return frozenset({type(target) for target in targets if isinstance(target, Op)}.union(*below))

    def __repr__(self) -> str:
        inputs = ", ".join(map(format_shape, self.inputs))
        return f"Module({self.definition or 'seq'}: {inputs} → {format_shape(self.output)}, {len(self.steps)} steps)"


def names_of_parts(target: Op | Module) -> tuple[str, ...]:
    """The names of the values that an op or module returns, if it has several."""
    return target.output_names if isinstance(target, Module) else target.names if isinstance(target, Collect) else ()


def _rank(step: Step) -> int:
    """The rank in torch's state_dict order of what a step registers: parameters, buffers, modules."""
    is_raw = isinstance(step.target, Op) and step.target.raw
    return int(is_buffer(step)) if is_raw else 2


def is_buffer(step: Step) -> bool:
    """Whether a step is a buffer of the block itself."""
    return isinstance(step.target, Op) and step.target.tensor() is not None


def _alike(left: Step, right: Step) -> bool:
    """Whether two steps do the same, except for a rate of stochastic depth."""
    if (left.name, left.inputs, left.train_only) != (right.name, right.inputs, right.train_only):
        return False
    one, other = left.target, right.target
    if isinstance(one, Module) and isinstance(other, Module):
        return one.is_like(other)
    if isinstance(one, Op) and isinstance(other, Op):
        return one is other or one.is_like(other)
    return one is other or (type(one) is type(other) and one == other)
