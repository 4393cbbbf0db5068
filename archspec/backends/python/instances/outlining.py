"""Outlining: seqs that need a class of their own become blocks.

A pass that cuts a network down to features leaves seqs with several results, which an `nn.Sequential` cannot return.
Such a seq becomes an instance of a new definition, derived from `nn.Sequential`: its items are those of the seq, its
parameters are all names of the block around it, since its expressions may read any of them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from archspec.backends.python.instances.variants import sizes_of
from archspec.expressions.sizes import int_of
from archspec.ir.definition import LAST, Definition, ResolvedItem
from archspec.ir.module import Module, Step
from archspec.ops.collect import Collect


def outlined(root: Module) -> Module:
    """A network in which every seq that an `nn.Sequential` cannot express is an instance of a definition."""
    return _Outliner().block(root)


@dataclass
class _Outliner:
    made: dict[int, Module] = field(default_factory=dict)
    """The finished blocks, by the identity of the original."""

    def block(self, module: Module) -> Module:
        """A block's instance, with everything below it outlined."""
        if id(module) not in self.made:
            assert module.block is not None
            values = {**sizes_of(module.block, module), **module.arguments, **module.lets}
            names = {name: int_of(value) for name, value in values.items()}
            around = _Around(module.block, names, module.block.name)
            self.made[id(module)] = self.steps(module, around)
        return self.made[id(module)]

    def steps(self, module: Module, around: _Around) -> Module:
        """A block's instance, or a seq inside it, with the seqs in its steps outlined. What is dropped is a step like
        any other: the constructor makes it."""
        module = module.whole
        steps = tuple(self.step(step, around) for step in module.steps)
        unchanged = all(new is old for new, old in zip(steps, module.steps, strict=True))
        return module if unchanged else replace(module, steps=steps)

    def step(self, step: Step, around: _Around) -> Step:
        """A step, with the seq that it runs outlined if it must be."""
        if not isinstance(step.target, Module):
            return step
        if step.target.block is not None:
            return _running(step, self.block(step.target))
        around = around.inside(step)
        inner = self.steps(step.target, around)
        if inner.is_seq and (not inner.steps or around.block.at(step.position).kind == "seq"):
            return _running(step, inner)
        return self.outline(step, inner, replace(around, names={**around.names, **step.indices}))

    def outline(self, step: Step, module: Module, around: _Around) -> Step:
        """A step that runs a seq as an instance of a definition of its own, with all names as arguments."""
        item, depth = around.item_of(module)
        definition = _definition(step, item, around, module)
        block = replace(
            _moved_up(module, depth), definition=definition.name, block=definition, arguments=around.names
        )  # fmt: skip
        return replace(step, target=block, trees={name: ast.Name(name, ast.Load()) for name in around.names})


@dataclass(frozen=True)
class _Around:
    """The context of a seq: the block around it, its names with their values, a name for the seq's class, and the depth
    of nesting in other seqs."""

    block: Definition
    names: Mapping[str, Any]
    called: str
    level: int = -1

    def inside(self, step: Step) -> _Around:
        """The context of a seq that a step of this one runs: `Layer1` for `layer1`, `Layer10` for its item 0."""
        name = self.block.at(step.position).name or str(step.name)
        words = re.split(r"\W|_", re.sub(r"\{[^{}]*\}", "", name) or str(step.name))
        camel = "".join(word[:1].upper() + word[1:] for word in words)
        called = camel if camel[:1].isalpha() else f"{self.called}{camel}"
        return replace(self, called=called, level=self.level + 1)

    def item_of(self, module: Module) -> tuple[ResolvedItem, int]:
        """The item of a seq with its entries, and the length of its position."""
        items, level = self.block.items, self.level
        for length, number in enumerate(module.steps[0].place, 1):
            item = items[number]
            items = item.body
            if item.kind == "seq":
                level -= 1
            if level < 0:
                return item, 2 * length
        raise AssertionError(f"{module} is in no seq")


def _running(step: Step, module: Module) -> Step:
    return step if module is step.target else replace(step, target=module)


def _definition(step: Step, item: ResolvedItem, around: _Around, module: Module) -> Definition:
    """The definition of a seq, equal for all seqs at the same place."""
    last, block = module.steps[-1].target, around.block
    returned = last.names if isinstance(last, Collect) else ()
    description = f"The entries of {step.name}."
    if returned:
        listed = [name or "its own value" for name in returned]
        description += f"\n\nReturns {', '.join(listed[:-1])} and {listed[-1]}."
    return Definition(
        around.called, description, params=dict.fromkeys(around.names), items=item.body,
        is_sequential=True, is_outlined=True, form=(block.name, block.form, step.place, *around.names, returned),
    )  # fmt: skip


def _moved_up(module: Module, depth: int) -> Module:
    """A seq whose positions begin with its own entries."""
    steps = tuple(_step_moved_up(step, depth) for step in module.steps)
    conditions = {position[depth:]: condition for position, condition in module.conditions.items()}
    counts = {position[depth:]: count for position, count in module.counts.items()}
    return replace(module, steps=steps, conditions=conditions, counts=counts)


def _step_moved_up(step: Step, depth: int) -> Step:
    if step.position == LAST:
        return step
    target = step.target
    if isinstance(target, Module) and target.block is None:
        target = _moved_up(target, depth)
    return replace(step, target=target, position=step.position[depth:])
