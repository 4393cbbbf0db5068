"""Which classes a network needs, and the arguments of each.

A block's instances become one class. A parameter that is the same in all of them is replaced by its value, one that
varies is kept under its name, and so is one that depends on an argument of the network (`num_classes`).
"""

from __future__ import annotations

import ast
import builtins
import keyword
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from archspec.expressions.rewrite import names_in, substitute
from archspec.expressions.sizes import Dim, int_of, plain, tree_of
from archspec.frontend.reserved_names import source_names
from archspec.ir.definition import Definition
from archspec.ir.graph import Graph
from archspec.ir.module import Module, Step
from archspec.ops import OPS, Ops
from archspec.ops.base import Op
from archspec.passes.specialize.naming import by_size_name, has_channels, named_size


@dataclass(frozen=True)
class ConstructorArgument:
    """An argument of a generated constructor: its values by instance, and its default (`...` for none)."""

    name: str
    values: Mapping[int, Any]
    default: Any = ...

    @property
    def annotation(self) -> str:
        """The argument's type in Python."""
        values = [*self.values.values()]
        if len({len(value) for value in values if isinstance(value, tuple)}) > 1:
            kinds = {_annotation(element) for value in values if isinstance(value, tuple) for element in value}
            values = [value for value in values if not isinstance(value, tuple)]
            return " | ".join(sorted({f"tuple[{' | '.join(sorted(kinds))}, ...]", *map(_annotation, values)}))
        kinds = {_annotation(value) for value in values}
        return "float" if kinds == {"int", "float"} else " | ".join(sorted(kinds, key=lambda k: (k != "int", k)))


_SPELT_OUT = 3
"""The most elements of a tuple whose types are written one by one."""


def _annotation(value: Any) -> str:
    if isinstance(value, list | tuple):  # lists of a spec are written as tuples: sizes are what torch takes as such
        kinds = [_annotation(element) for element in value]
        if len(kinds) > _SPELT_OUT and len(set(kinds)) == 1:
            return f"tuple[{kinds[0]}, ...]"
        return f"tuple[{', '.join(kinds) or '()'}]"
    return "None" if value is None else type(int_of(value)).__name__


@dataclass
class Variant:
    """A class to generate: instances of one block that can be written as one."""

    definition: str
    class_name: str
    body: Definition
    instances: list[Module]
    ops: Ops = OPS
    """The ops that the network may use."""
    kept: set[str] = field(default_factory=set)
    """Parameters and input sizes that stay names in the class."""
    free: dict[str, frozenset[str]] = field(default_factory=dict)
    """Those whose values depend on arguments of the network, with the network's parameters that each depends on."""
    op_names: set[str] = field(default_factory=set)
    """Those whose value is an op; as an argument, the class of a module."""
    parameters: list[ConstructorArgument] = field(default_factory=list)
    """The constructor's arguments, once the class has been written."""
    _symbols: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def is_root(self) -> bool:
        """Whether this is the network itself."""
        return self.body.is_network

    @property
    def own_names(self) -> set[str]:
        """The block's parameters and local names."""
        return {*self.body.params, *self.body.lets}

    def symbols(self, instance: Module) -> Mapping[str, Any]:
        """Every name of the block with its value in an instance, local names left out."""
        if id(instance) not in self._symbols:
            self._symbols[id(instance)] = self._names_of(instance)
        return self._symbols[id(instance)]

    def _names_of(self, instance: Module) -> dict[str, Any]:
        sizes = sizes_of(self.body, instance)
        return {**sizes, **{name: plain(value) for name, value in instance.arguments.items()}}

    def own(self) -> set[str]:
        """The sizes of its inputs and the parameters without a default, which characterise the block."""
        given = self.instances[0].arguments
        return {name for name in self.symbols(self.instances[0])
                if name not in given or self.body.params.get(name, ...) is None}  # fmt: skip

    def constants(self) -> dict[str, Any]:
        """The names that are replaced by their values, with these."""
        return {name: value for name, value in self.symbols(self.instances[0]).items() if name not in self.kept}


def sizes_of(body: Definition, instance: Module) -> dict[str, int | tuple[int, ...]]:
    """The names that a block has for sizes of its inputs, with their values in an instance: several for `*rest`."""
    if not body.names_sizes:
        return {}
    sizes = by_size_name(instance.inputs, map(named_size, instance.inputs))
    return {name: tuple(map(int, size)) if isinstance(size, tuple) else int(size) for name, size in sizes.items()}


class MustBeFixed(Exception):
    """The network cannot be written as long as these parameters of it are arguments of its class."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__(", ".join(sorted(names)))
        self.names = names


class Variants:
    """All classes of a network, callers before the classes they use. `fixed` parameters are written as values; `split`
    blocks have a class for each set of items, those that are `apart` also for each set of calls of functions."""

    def __init__(
        self, graph: Graph, split: frozenset[str] = frozenset(), fixed: frozenset[str] = frozenset(),
        apart: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        self.graph = graph
        self.split = split
        self.apart = apart
        self.fixed = fixed
        self.of: dict[int, Variant] = {}
        self.all = self._group()
        self._keep()

    def unrolled(self, variant: Variant) -> bool:
        """Whether a block's repeats must be written out, since loops cannot be."""
        return variant.definition in self.split

    def _group(self) -> list[Variant]:
        found: dict[Any, Variant] = {}
        root = self.graph.root
        for module in reversed(root.modules):
            if module.is_seq:
                continue
            assert module.block is not None
            key = (
                module.definition,
                module.block.form,
                module is self.graph.root,
                _input_kinds(module),
                self._signature(module) if module.definition in self.split else None,
            )
            if key not in found:
                found[key] = Variant(module.definition, "", module.block, [], self.graph.ops)
            found[key].instances.append(module)
            self.of[id(module)] = found[key]
        ordered = _callers_first(self.of[id(root)], self.of)
        self._name(ordered)
        return ordered

    def _signature(self, module: Module) -> Any:
        """A key that is equal for instances that can be written as one class without different conditions or loops."""
        rounds = tuple((position, count.number) for position, count in module.counts.items())
        conditions = tuple((position, condition.holds) for position, condition in module.conditions.items())
        is_apart = module.definition in self.apart
        return len(module.inputs), rounds, conditions, tuple(
            (step.position, step.name, step.inplace, step.dropped,
             step.target if isinstance(step.target, int) else self._kind(owner, step, is_apart))
            for owner, step in steps_below(module)
        )  # fmt: skip

    def _kind(self, owner: Module, step: Step, is_apart: bool) -> Any:
        """A key for what a step runs: an op, with how it is called if its block is `apart`, or a class of a block."""
        target = step.target
        if isinstance(target, Module):
            return target.definition, self._signature(target) if target.definition in self.split else None
        assert isinstance(target, Op)
        if not is_apart:
            return target.kind
        call = target.function if step.name is None else target.module_call
        return target.kind, repr(call(*owner.shapes(step)))

    def _name(self, ordered: list[Variant]) -> None:
        """Name the classes of a block after it; numbered if its instances need several."""
        root = self.of[id(self.graph.root)]
        outputs = () if self.graph.outputs is None else (self.graph.outputs.record,)
        words = {*source_names(self.graph.ops), *dir(builtins), *keyword.kwlist, "self", "layers"}
        taken = {root.definition, self.graph.name, *outputs, *words}
        for variant in ordered:
            taken |= {*variant.symbols(variant.instances[0]), *variant.body.lets, *variant.body.indices}
        root.class_name = root.definition
        for variant in ordered[:0:-1]:  # in the order of the file: each before those that use it
            name, number = variant.definition, 1
            while name in taken:
                number += 1
                name = f"{variant.definition}{number}"
            taken.add(name)
            variant.class_name = name

    def _keep(self) -> None:
        root = self.of[id(self.graph.root)]
        root.kept = self.graph.root.arguments.keys() - _structural(self.graph.root) - self.fixed
        root.free = {name: frozenset([name]) for name in root.kept}
        for variant in self.all:  # callers first, so that the free names of a class are known when it is reached
            if variant is not root:
                tables = [variant.symbols(instance) for instance in variant.instances]
                varying = {name for name in tables[0] if any(_differ(t[name], tables[0][name]) for t in tables)}
                variant.kept = varying | variant.free.keys() | variant.own()
            if variant.free:
                self._pass_down(variant)

    def _pass_down(self, caller: Variant) -> None:
        """Mark as free the names of the classes that a class uses, if it binds them to expressions with free names."""
        for instance in caller.instances:
            lets = let_trees(instance)
            free = caller.free.keys() | {name for name, tree in lets.items() if parameters_behind(tree, caller)}
            for owner, step in steps_below(instance):
                target = owner.runs(step)
                variant = self.of.get(id(target))
                if variant is None or not _reads(owner, step, free):
                    continue
                assert isinstance(target, Module)
                for name, (_, tree) in bindings(variant, target, owner, step).items():
                    behind = parameters_behind(substitute(tree, lets), caller)
                    if behind:
                        variant.free[name] = variant.free.get(name, frozenset()) | behind


def _input_kinds(module: Module) -> tuple[Any, ...]:
    """What determines the names of the sizes of a block's inputs; those that share a name may be any number."""
    kinds = [has_channels(shape) if shape else None for shape in module.inputs]
    shared = [n for n, shape in enumerate(module.inputs) if isinstance(_tree(named_size(shape)), ast.Subscript)]
    return (*kinds[: shared[0] + 1], ...) if shared else tuple(kinds)


def _tree(size: Any) -> ast.expr | None:
    return size.tree if isinstance(size, Dim) else None


def _reads(owner: Module, step: Step, names: Set[str]) -> bool:
    """Whether some of these names are in what a step is given: its arguments, or the sizes of its inputs."""
    sizes = (tree_of(named_size(shape)) for shape in owner.shapes(step))
    return any(not names.isdisjoint(names_in(tree)) for tree in (*step.trees.values(), *sizes))


def parameters_behind(tree: ast.expr, variant: Variant) -> frozenset[str]:
    """The parameters of the network that an expression in a block's names (without local ones) depends on."""
    if not variant.free:
        return frozenset()
    return frozenset().union(*(variant.free.get(name, ()) for name in names_in(tree)))


def bindings(variant: Variant, target: Module, owner: Module, step: Step) -> dict[str, tuple[Any, ast.expr]]:
    """The values and expressions that a use of a block binds its names to, in terms of the names of the caller."""
    bound: dict[str, tuple[Any, ast.expr]] = {}
    values = variant.symbols(target)
    if variant.body.names_sizes:
        sizes = by_size_name(target.inputs, map(named_size, owner.shapes(step)))
        bound = {name: (values[name], tree_of(size)) for name, size in sizes.items()}
    for name in target.arguments:
        tree = step.trees.get(name)
        if tree is None and name in target.defaults:
            tree = substitute(target.defaults[name], {other: given for other, (_, given) in bound.items()})
        bound[name] = (values[name], tree_of(values[name]) if tree is None else tree)
    trees = {name: given for name, (_, given) in bound.items()}
    for name, tree in let_trees(target).items():
        bound[name] = (plain(target.lets[name]), substitute(tree, trees))
    return bound


def let_trees(instance: Module) -> dict[str, ast.expr]:
    """The local names of a block with their expressions, in terms of its parameters and input sizes."""
    trees: dict[str, ast.expr] = {}
    for name, tree in instance.let_trees.items():
        trees[name] = substitute(tree, trees)
    return trees


def steps_below(module: Module) -> Iterator[tuple[Module, Step]]:
    """The steps of a block's instance, those inside its seqs included, each with the module it belongs to."""
    for step in module.steps:
        yield module, step
        if isinstance(step.target, Module) and step.target.is_seq:
            yield from steps_below(step.target)


def _differ(left: Any, right: Any) -> bool:
    return bool(left != right) or type(left) is not type(right)


def _callers_first(root: Variant, of: Mapping[int, Variant]) -> list[Variant]:
    """The variants in an order where each comes after everything that uses it."""
    done: list[Variant] = []
    seen: set[int] = set()

    def visit(variant: Variant) -> None:
        seen.add(id(variant))
        for instance in variant.instances:
            for _, step in steps_below(instance):
                used = of.get(id(step.target))
                if used is not None and id(used) not in seen:
                    visit(used)
        done.append(variant)

    visit(root)
    return done[::-1]


def _structural(root: Module) -> set[str]:
    """Parameters that decide which items the network has: they are fixed in the generated file."""
    assert root.block is not None
    found: set[str] = set()
    for item in root.block.walk():
        for tree in (item.when, item.repeat, item.chosen, *item.computed):
            found |= set() if tree is None else names_in(tree)
    for name, tree in reversed([*root.let_trees.items()]):
        if name in found:
            found |= names_in(tree)
    return found
