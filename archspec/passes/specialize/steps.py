"""The items of a body → steps: repeats are unrolled, conditions evaluated, and each remaining item becomes a step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from archspec.diagnostics.budget import spend
from archspec.diagnostics.diagnostic import Path
from archspec.expressions.sizes import is_whole
from archspec.frontend.model.item import Item, UnreadItem
from archspec.frontend.reserved_names import CONTAINER_NAMES
from archspec.ir.definition import Position
from archspec.ir.module import Condition, Count, Module, Ref, Step
from archspec.ops.base import Op
from archspec.ops.shapes import Value
from archspec.passes.inplace import with_inplace
from archspec.passes.specialize.bindings import Bindings
from archspec.passes.specialize.errors import BodyErrors
from archspec.passes.specialize.items import ItemBuilder, Occurrence
from archspec.passes.specialize.naming import is_raw
from archspec.passes.specialize.value_table import NO_OPERAND, Operand, ValueTable
from archspec.passes.unknown import UNKNOWN, Unknown

if TYPE_CHECKING:
    from archspec.passes.specialize.specializer import Specializer

ITEM: Final = 10
"""Steps of the budget that an item costs in each round, even if left out; each of its inputs costs one more."""

IN_SEQ_HELP: Final = "use a block with layers instead of the seq"
AS_BLOCK_HELP: Final = "write a block whose layers run it: the block can be an item of the seq, {block: …}"


class StepBuilder:
    """Makes the steps of a body: the items of a network, block or seq, with their groups and repeats."""

    def __init__(
        self, run: Specializer, inputs: dict[str, Value], bindings: Bindings, errors: BodyErrors, in_seq: bool
    ) -> None:
        self.in_seq = in_seq
        self.values = ValueTable(inputs, run.known, bindings, errors)
        self._run = run
        self._carry = run.mode.carry
        self._bindings = bindings
        self._errors = errors
        self._builder = ItemBuilder(run, self.values, bindings, errors)
        self._conditions: dict[Position, Condition] = {}
        self._counts: dict[Position, Count] = {}
        self._within = ""
        """The container that the current item is in, followed by a dot."""
        self._numbers: Counter[str] = Counter()
        """The number under which the next item without a name is registered, by container; the key of a seq is
        empty."""

    def run(self, items: list[Item], path: Path, position: Position, first: int = 0) -> None:
        """Turn all items into steps; the first of them has the number `first` in the definition."""
        self._errors.collector.open_bodies.append(self.values)
        self._items(items, path, position, first)
        self._errors.collector.open_bodies.pop()

    def seq(self, items: list[Item], path: Path, position: Position) -> Module | Unknown:
        """The module of a seq with these items."""
        self.run(items, path, position)
        return UNKNOWN if self._errors.failed or self.values.previous[1] is UNKNOWN else self.module("", ())

    def module(self, definition: str, kept: Iterable[str], **more: Any) -> Module | Unknown:
        """The steps as a module; `kept` are names of values that nothing may overwrite."""
        values, (result, _) = self.values, self.values.previous
        refs = [operand[0] for name in kept if (operand := values.whole(name)) is not None]
        steps = with_inplace(values.steps, result, refs)
        module = Module(definition, tuple(values.inputs.values()), steps, result,  # type: ignore[arg-type]
                        conditions=self._conditions, counts=self._counts, **more)  # fmt: skip
        if module.size <= self._run.max_nodes:
            return module
        self._errors.report_too_many("nodes", self._errors.path)
        return UNKNOWN

    # -- repeats and conditions -----------------------------------------------------------------------------------

    def _items(self, items: list[Item], path: Path, position: Position, first: int = 0) -> None:
        self.values.begun[id(items)] = items
        for number, item in enumerate(items):
            place = (*path, number) if item.name is None else (*path, number, item.name)
            for k in self._rounds(item, place, (*position, first + number)):
                self._item(item, place, (*position, first + number, k))

    def _rounds(self, item: Item, path: Path, position: Position) -> Iterator[int]:
        """The number of each round of a repeat, its index bound to it; 0 for an item without a repeat."""
        if item.repeat is None:
            yield 0
            return
        count = self._count(item, path, position)
        if count is UNKNOWN:
            self._skip()
            return
        errors, outer = self._errors, self._bindings.indices
        failed_before, errors.failed = errors.failed, False
        for k in range(count):
            spend(ITEM)
            self._bindings.bind_index(item, k, outer)
            yield k
            if errors.failed:  # the other rounds would fail in the same way
                errors.has_gaps |= k + 1 < count
                break
        errors.failed = errors.failed or failed_before
        self._bindings.unbind_index(item, outer)

    def _count(self, item: Item, path: Path, position: Position) -> int | Unknown:
        """How many rounds a repeat has."""
        here = (*path, "repeat")
        if item.index in self._bindings.scope:
            is_index = item.index in self._bindings.indices
            what = "the index of an enclosing repeat" if is_index else "a parameter or local name"
            help = "give the index another name"
            self._errors.report("reference", f"'{item.index}' is already {what}", (*path, "index"), help=help)
            return UNKNOWN
        count, tree = self._bindings.evaluate_symbolic(item.repeat, here)
        if not is_whole(count) or count < 0:
            if count is not UNKNOWN:
                self._errors.report("expression", f"expected an integer, 0 or more, got {count!r}", here)
            return UNKNOWN
        if count > self._run.max_nodes:
            self._errors.report_too_many("rounds", here)
            return UNKNOWN
        if self._carry:
            self._counts[position] = Count(self._bindings.unrolled(tree), int(count))
        return int(count)

    def _item(self, item: Item, path: Path, position: Position) -> None:
        spend(ITEM)
        self._errors.enter(path)
        if isinstance(item, UnreadItem):
            self._pass_over(item)
            return
        if self.in_seq and not self._fits_in_seq(item, path):
            self._skip()
            return
        is_present = True if item.when is None else self._condition(item, path, position)
        if is_present is UNKNOWN:
            self._skip()
        elif not is_present:
            self._leave_out(item, path, position)
        elif item.layers is not None:
            self._group(item, item.layers, path, position)
        else:
            self._place(item, path, position)

    def _group(self, item: Item, items: list[Item], path: Path, position: Position) -> None:
        """Turn the items of a group into steps. A group with a name is a container, which they are registered in."""
        around = self._within
        if item.name is not None:
            name = self._bindings.fill(item.name, path)
            if self.in_seq:
                message = "a group in a seq cannot have a name: a container does not run its entries, but a seq does"
                self._errors.report("schema", message, path, help=IN_SEQ_HELP)
            if self.in_seq or name is UNKNOWN:
                self._skip()
                return
            self._within = f"{around}{name}."
        self._items(items, (*path, "layers"), position)
        self._within = around

    def _fits_in_seq(self, item: Item, path: Path) -> bool:
        """Whether an item can be an entry of an `nn.Sequential`: it always runs, on the value before it."""
        if not (item.train_only or item.else_ or item.append):
            return True
        fits = True
        for key, given in (("train_only", item.train_only), ("else", item.else_), ("append", item.append)):
            if given:
                message = f"'{key}' is not allowed in a seq"
                self._errors.report("schema", message, (*path, key), help=IN_SEQ_HELP, about_key=True)
                fits = False
        return fits

    def _condition(self, item: Item, path: Path, position: Position) -> Any:
        """The value of an item's condition, which is kept for code generation."""
        value, tree = self._bindings.evaluate_symbolic(item.when, (*path, "when"))
        if self._carry and value is not UNKNOWN:
            otherwise, _ = self.values.previous
            self._conditions[position] = Condition(self._bindings.unrolled(tree), bool(value), otherwise)
        return value

    def _leave_out(self, item: Item, path: Path, position: Position) -> None:
        """Handle an item whose condition is false: another value takes its place."""
        self.values.absent += _names(item, self._within)
        if item.layers is not None:
            self.values.gone += _value_names(item.layers, self._within, item.name)
            return
        values, operand = self.values, self.values.previous
        if item.else_ is not None:
            operand = values.lasting(item.else_, (*path, "else"), item.train_only)
        if self._carry:
            self._conditions[position] = self._conditions[position]._replace(otherwise=operand[0])
        name = item.as_ or (None if item.name is None else f"{self._within}{item.name}")
        label = UNKNOWN if name is None else self._bindings.fill(name, path)
        if label is not UNKNOWN:
            values.name(label, operand)
        if item.else_ is not None:
            values.previous = operand

    # -- items ----------------------------------------------------------------------------------------------------

    def _place(self, item: Item, path: Path, position: Position) -> None:
        """Make the step of an item that is not left out, and name its value."""
        given = self._name_of(item, path)
        name = None if given is UNKNOWN else given
        where = self.values.dotted(name or item.as_ or item.label)
        at = Occurrence(item, self._operands(item, path), path, position, where)
        self.values.current = (item, name, at.operands)
        built = self._builder.build(at)
        if item.name is None and not self.in_seq and built is not UNKNOWN and not _has_name(built[0]):
            name = None  # a function in a container, which has no number
        self._numbers[self._within] += item.call is None if self.in_seq else item.name is None and name is not None
        label = item.as_ or (None if self.in_seq and item.name is None else name)
        self._errors.has_gaps |= given is UNKNOWN
        if built is UNKNOWN or given is UNKNOWN or not self._can_stand_here(built[0], name, at):
            self._fail(item, name, label)
            return
        target, output, trees = built
        registered = name if _has_name(target) else None
        step = Step(
            target, tuple([ref for ref, _ in at.operands]), output, registered, label or item.label,
            item.train_only, False, path, position, self._bindings.indices, trees,
        )  # fmt: skip
        self._add(item, step, label)

    def op(self, item: Item, module: Module, number: int) -> Op | Unknown:
        """The op that an item runs here, where it is step `number` of a module that is the same but for its rates."""
        step = module.steps[number]
        spend(ITEM)
        self._errors.enter(step.path)
        operands: list[Operand] = [(ref, module.value(ref)) for ref in step.inputs]
        where = self.values.dotted(step.name or step.label)
        built = self._builder.build(Occurrence(item, operands, step.path, step.position, where))
        return built if built is UNKNOWN else built[0]  # type: ignore[return-value]

    def _name_of(self, item: Item, path: Path) -> str | Unknown | None:
        """The name of an item: its own, or the next number in a seq or a container."""
        name: str | Unknown | None = None
        if item.name is not None:
            name = self._bindings.fill(item.name, path)
        elif self.in_seq or (self._within and item.call is None and not is_raw(item, self._run.known)):
            name = str(self._numbers[self._within])
        if name is None or name is UNKNOWN:
            return name
        name = f"{self._within}{name}"
        if "." in name and (strays := CONTAINER_NAMES.intersection(name.split(".")[1:])):
            message = f"'{min(strays)}' cannot be a name: nn.ModuleDict has an attribute of that name"
            self._errors.report("reference", message, path)
            return UNKNOWN
        if self.values.is_taken(name):
            repeated = f"a repeated item needs its index in its name: '{name}{{{item.index or 'i'}}}'"
            help = repeated if item.repeat else "names must be unique within a block"
            self._errors.report("reference", f"duplicate name '{name}'", path, help=help)
            self._errors.failed = True
        return name

    def _operands(self, item: Item, path: Path) -> list[Operand]:
        if item.from_ is None and item.like is None:
            return self.values.operands(item, path)
        given = [key for key, names in (("from", item.from_), ("like", item.like)) if names is not None]
        if not self.in_seq or is_raw(item, self._run.known):
            return self.values.operands(item, path)
        for key in given:
            message = f"'{key}' is not allowed in a seq: the input of an item is the value before it"
            self._errors.report("schema", message, (*path, key), help=IN_SEQ_HELP, about_key=True)
        return [NO_OPERAND]

    def _can_stand_here(self, target: Op | Module | int, name: str | None, at: Occurrence) -> bool:
        """Whether a target can run here: a seq contains only modules, and only functions need no name."""
        if isinstance(target, int):
            return not self.in_seq or self._refuse(at, "'call' is not allowed in a seq", IN_SEQ_HELP)
        if self.in_seq and "." in str(name):
            return self._refuse(at, "an item of a seq cannot be in a container", IN_SEQ_HELP)
        if isinstance(target, Module):
            help = "write 'name: {block: …}' or 'name: {seq: […]}'"
            return name is not None or self._refuse(at, "a block or seq needs a name to be registered under", help)
        if target.raw and name is not None and "." in name:
            message = f"{target.kind} cannot be in a container: it belongs to the block itself"
            return self._refuse(at, message, "give it a name without a dot, outside of the group")
        if (name is None or not _has_name(target)) and not target.has_function():
            help = f"write 'name: {{op: {target.kind}, …}}'"
            return self._refuse(at, f"{target.kind} needs a name to be registered under", help)
        if self.in_seq and target.module is None:
            return self._refuse(at, f"{target.kind} is a function; a seq contains only modules", AS_BLOCK_HELP)
        if self.in_seq and not target.takes_input_alone():
            return self._refuse(at, f"{target.kind} takes more than one value, but a seq passes only one", IN_SEQ_HELP)
        return True

    def _refuse(self, at: Occurrence, message: str, help: str) -> bool:
        self._errors.report("schema", message, at.path, at.where, help=help)
        return False

    def _add(self, item: Item, step: Step, label: str | None) -> None:
        spend(len(step.inputs))
        values, number = self.values, len(self.values.steps)
        operand = Ref(number), step.output
        values.steps.append(step)
        if number == self._run.max_nodes:
            self._errors.report_too_many("nodes", step.path)
            self._errors.failed = True
        if step.name is not None:
            values.register(step.name, number)
            if self.in_seq and label is None:  # an output of a block may be an entry's
                values.names[step.name] = operand
        values.settle(item, label, operand)

    # -- after an error -------------------------------------------------------------------------------------------

    def _fail(self, item: Item, name: str | None, label: str | None) -> None:
        """Record that an item has an error: its value and its module are unknown."""
        self._errors.failed = True
        if name is not None:
            self.values.register(name, UNKNOWN)
        self.values.settle(item, label, NO_OPERAND)

    def _pass_over(self, item: UnreadItem) -> None:
        """Record an item that could not be read: only its names are known, if it has any."""
        self._errors.has_gaps |= item.may_name
        name = None if item.name is None else f"{self._within}{item.name}"
        self._numbers[self._within] += self.in_seq or (bool(self._within) and name is None)
        self._fail(item, name, item.as_ or name)

    def _skip(self) -> None:
        """Record that it is unknown whether an item is left out, and thus whether its names exist."""
        self._errors.failed = self._errors.has_gaps = True
        self.values.previous = NO_OPERAND


def _names(item: Item, within: str) -> Iterator[str]:
    """The names under which an item and those inside it would be registered, as far as they have names."""
    if item.name is not None:
        yield f"{within}{item.name}"
    for inner in item.layers or ():
        yield from _names(inner, within if item.name is None else f"{within}{item.name}.")


def _value_names(items: Iterable[Item], within: str, name: str | None) -> Iterator[str]:
    """The names that the values of the items in a group would have."""
    within = within if name is None else f"{within}{name}."
    for item in items:
        if item.layers is not None:
            yield from _value_names(item.layers, within, item.name)
        elif item.as_ is not None or item.name is not None:
            yield item.as_ or f"{within}{item.name}"


def _has_name(target: Op | Module | int) -> bool:
    """Whether a target can be registered under a name: a function cannot."""
    return not isinstance(target, Op) or target.module is not None or target.raw
