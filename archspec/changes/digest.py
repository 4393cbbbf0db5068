"""A digest of what a step does: equal digests mean equal steps, wherever they are and whatever they read."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from archspec.diagnostics.budget import spend
from archspec.ir.equality import of_module, of_step
from archspec.ir.module import Module, Ref, Step
from archspec.ops.base import Op
from archspec.ops.shapes import Shape

STEP = 4
"""Steps of the budget that reading a step of a module costs."""


class Part(NamedTuple):
    """A step of a module as alignment sees it."""

    name: str
    """The attribute it is registered under, or else the label of its value."""
    is_registered: bool
    kind: str
    """`conv2d`, `Bottleneck`, `seq`; for a call, `call of` and the kind of the module that runs again."""
    form: str
    """`module`, `op` or `call`."""
    fields: str
    """A digest of what it does, independent of its inputs."""
    shapes: tuple[Any, Any]
    """The shapes of its inputs and of its output."""
    content: str
    """A digest of all of this: parts with the same content differ only in their names and connections."""

    def is_same(self, other: Part) -> bool:
        """Whether another part is equal in name and content."""
        return self.content == other.content and self.name == other.name

    @property
    def has_own_name(self) -> bool:
        """Whether it is registered under a name, rather than a number."""
        return self.is_registered and not self.name.isdecimal()


class Digests:
    """The digests of modules, each computed once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Module, str]] = {}

    def of(self, module: Module) -> str:
        """A digest of everything in a module except for the places of its items in the spec."""
        if id(module) not in self._known:
            self._known[id(module)] = (module, self._made(module))  # the module is kept, so that its id stays unique
        return self._known[id(module)][1]

    def _made(self, module: Module) -> str:
        spend(STEP * (1 + len(module.steps)))
        steps = ((written(of_step(step)), self._does(module, step)) for step in module.steps)
        return _digest(written(of_module(module)), *steps)

    def _does(self, module: Module, step: Step) -> str:
        target = step.target
        if isinstance(target, Module):
            return self.of(target)
        return written(target) if isinstance(target, int) else _op(target, module.shapes(step))

    def part(self, module: Module, step: Step) -> Part:
        """A step as alignment sees it."""
        target = module.runs(step)
        kind = kind_of(module, step)
        shapes = (read_shapes(module, step), step.output)
        does = self.of(target) if isinstance(target, Module) else _op(target, shapes[0])
        form = "call" if isinstance(step.target, int) else "module" if isinstance(target, Module) else "op"
        is_registered = step.name is not None
        content = _digest(kind, does, written(shapes), step.train_only, step.inplace, is_registered)
        return Part(name_of(step), is_registered, kind, form, does, shapes, content)


def name_of(step: Step) -> str:
    """The attribute a step's module is registered under, or else the label of its value."""
    return step.label if step.name is None else step.name


def kind_of(module: Module, step: Step) -> str:
    """The op's or the block's name."""
    target = module.runs(step)
    kind = target.kind if isinstance(target, Op) else target.definition or "seq"
    return f"call of {kind}" if isinstance(step.target, int) else kind


def edges(step: Step) -> list[Ref]:
    """The values that a step reads; not those of which it reads the number of samples only."""
    unread = step.target.batch_only if isinstance(step.target, Op) else ()
    return [ref for number, ref in enumerate(step.inputs) if number not in unread]


def read_shapes(module: Module, step: Step) -> tuple[Shape, ...]:
    """The shapes of the values that a step reads."""
    return tuple(module.value(ref) for ref in edges(step))  # type: ignore[misc]


def does_nothing(module: Module, step: Step) -> bool:
    """Whether a step runs an empty sequence, an identity, or a dropout of nothing."""
    target = module.runs(step)
    if isinstance(target, Module):
        return not target.steps
    return target.kind == "identity" or (target.idle and getattr(target, "p", None) == 0)


def _op(op: Op, inputs: Sequence[Any] = ()) -> str:
    return f"{op.kind}{written(op.computed_fields(*inputs))}"


def written(value: Any) -> str:
    """A value as text that depends on its type: `1`, `1.0` and `true` differ, as do shapes with and without a batch."""
    if type(value) in (tuple, list):
        return f"{type(value).__name__}({', '.join(map(written, value))})"
    if isinstance(value, tuple):
        return f"{type(value).__name__}{tuple(value)!r}"
    if isinstance(value, Op):
        return _op(value)
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {written(value[key])}' for key in sorted(value, key=repr))}}}"
    return repr(value)


def _digest(*texts: object) -> str:
    return sha256(repr(texts).encode("utf-8", "surrogatepass")).hexdigest()
