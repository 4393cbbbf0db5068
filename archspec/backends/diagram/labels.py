"""The text in a box: a title, the name of the layer, its counts and its contents."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from archspec.backends.diagram.counts import counts_of
from archspec.backends.diagram.grouping import Unit
from archspec.backends.diagram.shortcuts import shortcuts_of
from archspec.backends.diagram.variants import ranges_in
from archspec.backends.op_labels import block_title, window
from archspec.backends.theme import FAILED, LIGHT
from archspec.diagnostics.budget import spend
from archspec.ir.module import Module, Ref
from archspec.ops.base import Op
from archspec.ops.collect import Collect

LINE: Final = 24
"""A longer description (in characters) of a block's contents is not on one line with the number of parameters."""

WIDEST: Final = 44
"""Characters in a small line of a box."""


def title_of(module: Module, run: list[Unit]) -> str:
    """The headline of a box: the ops of a chain, or a module's name and kind."""
    unit, body = run[0], run[0].body
    if unit.role == FAILED:
        return " · ".join(dict.fromkeys((module.steps[unit.head].label, *unit.phrases)))
    if body is None:
        return " · ".join(unit.phrases)
    name, what = names_of(module, run), block_title(body) or ("" if unit.opened else _contents(body))
    if name[0].isdigit():
        return what or name
    return f"{name} · {what}" if what else name


def details_of(module: Module, run: list[Unit], show: Iterable[str], beside: Iterable[Unit] = ()) -> tuple[str, ...]:
    """The smaller lines of a box: its contents, name and counts; for a layer that fails, the reason.

    `beside` are the units before and after it, from which a block is distinguished that would look the same.
    """
    unit, body = run[0], run[0].body
    if unit.role == FAILED:
        return tuple(textwrap.wrap(module.steps[unit.head].failure, WIDEST))
    name = names_of(module, run)
    named = body is None or name[0].isdigit()
    parts = [*([name] if named and name else []), *counts_of(module, run, show)]
    if body is None:
        return tuple(_packed(parts))
    inside = [*_described(body, len(unit.steps) > 1), *dict.fromkeys(ranges_in(body)), *_distinct(body, beside)]
    fits = len(parts) < 2 and sum(map(len, inside)) <= LINE
    return tuple(_packed([*inside, *parts])) if fits else (*_packed(inside), *_packed(parts))


def _packed(phrases: Iterable[str]) -> list[str]:
    """Phrases on as few lines as possible, none of them broken."""
    lines: list[str] = []
    for phrase in phrases:
        if lines and len(lines[-1]) + len(phrase) < WIDEST:
            lines[-1] += f" · {phrase}"
        else:
            lines.append(phrase)
    return lines


def _described(body: Module, grows: bool) -> Iterator[str]:
    """The contents of a closed block, its shortcuts, and the channels that it adds in a dense block."""
    inside = _inside(body)
    branched = [name for name in _branched(body) if name not in inside.split()]
    yield from filter(None, (inside, *branched, shortcuts_of(body)))
    if grows:
        yield f"adds {body.output[0]} channels"


def _distinct(body: Module, beside: Iterable[Unit]) -> Iterator[str]:
    """The arguments in which a block differs from a neighbour of the same kind, shapes and description.

    Rates are left out: they do not change what a block computes in evaluation.
    """
    others = [unit.body for unit in beside if unit.body is not None and _looks_like(unit.body, body)]
    for name, value in body.arguments.items():
        if not isinstance(value, float) and any(other.arguments.get(name) != value for other in others):
            yield f"{name} {'×'.join(map(str, value)) if isinstance(value, list) else value}"


def _looks_like(one: Module, other: Module) -> bool:
    heads = [(body.definition, body.inputs, body.output) for body in (one, other)]
    return bool(one.definition) and heads[0] == heads[1] and [*_described(one, False)] == [*_described(other, False)]


def _branched(body: Module) -> list[str]:
    """The blocks inside a block that are not plain chains, such as squeeze-and-excitation; not its main parts."""
    if body.is_seq or not _longest(body):
        return []
    return list(dict.fromkeys(_branched_in(body)))


def _branched_in(body: Module) -> Iterator[str]:
    for step in body.steps:
        target = body.runs(step)
        if isinstance(target, Module):
            spend(1)
            if target.definition and not _is_chain(target):
                yield target.definition
            else:
                yield from _branched_in(target)


def _is_chain(module: Module) -> bool:
    return all(step.inputs == (Ref(number - 1),) for number, step in enumerate(module.steps))


def names_of(module: Module, run: list[Unit]) -> str:
    """The attribute a box stands for, or the first and the last of several; empty for functions."""
    first, last = (module.steps[unit.head].name for unit in (run[0], run[-1]))
    if first is None or last is None:
        return ""
    return first if len(run) == 1 else f"{first} – {last}"


def _contents(module: Module) -> str:
    """The contents of a seq in short: `23 × Bottleneck`, `13 × conv · 5 × max pool`, `max pool · BasicConv2d`."""
    if not module.steps:
        return "identity"
    if len(module.steps) == 1 and isinstance(only := module.runs(module.steps[0]), Module) and only.is_seq:
        return _contents(only)
    words = Counter(_content(module.runs(step)) for step in module.steps)
    counted = [f"{count} × {word}" if count > 1 else word for word, count in words.items() if word]
    return " · ".join(counted) or "Sequential"


def _content(target: Op | Module) -> str:
    if isinstance(target, Module):
        return block_title(target) or "Sequential"
    return "" if target.role in LIGHT or isinstance(target, Collect) else target.title()


def _inside(body: Module | None) -> str:
    """The windows of a block's convolutions, the blocks in it, or how many branches it joins."""
    if body is None or body.is_seq or not body.steps:
        return ""
    if growth := _growth(body):
        return growth
    parts = [step.target for step in body.steps if not isinstance(step.target, Collect)]
    if all(isinstance(part, Module) and part.definition for part in parts):
        return _contents(body)
    targets = [body.runs(step) for step in body.steps]
    joined = [len(step.inputs) for step in body.steps if isinstance(step.target, Op) and step.target.concatenates]
    if any(isinstance(target, Op) and target.concatenates for target in targets):
        windows = [window(target) for target in targets if isinstance(target, Op) and target.role == "convolution"]
    else:
        windows = _longest(body)
    if windows:
        return f"conv {', '.join(windows)}"
    if joined:
        return f"{max(joined)} branches"
    return ", ".join(dict.fromkeys(word for target in targets if (word := _word(target))))


def _word(target: Op | Module) -> str:
    """The name of a part of a block without convolutions; empty for sums, parameters and ops that refine an output."""
    if isinstance(target, Module) and target.is_seq:
        return _contents(target)
    return "" if isinstance(target, Op) and (target.role == "join" or target.raw) else _content(target)


def _longest(body: Module) -> list[str]:
    """The windows of the convolutions on the path through a block with most convolutions, which excludes shortcuts."""
    found: list[list[str]] = []
    for step in body.steps:
        before = max((found[ref.step] for ref in step.inputs if ref.step >= 0), key=len, default=[])
        found.append([*before, *_windows(body.runs(step))])
    return found[body.result.step] if body.result.step >= 0 else []


def _growth(body: Module) -> str:
    """The growth rate of a block whose inner blocks each add channels to its input, as in a DenseNet."""
    if body.result.step < 0:
        return ""
    first, *rest = body.steps[body.result.step].inputs
    targets = [body.steps[ref.step].target for ref in rest if ref.step >= 0]
    blocks = [target for target in targets if isinstance(target, Module) and target.definition]
    kinds = {(block.definition, str(block.output[0])) for block in blocks}
    if first != Ref(-1) or len(rest) != len(blocks) or len(blocks) < 2 or len(kinds) != 1:
        return ""
    ((name, added),) = kinds
    return f"{len(blocks)} × {name}, {body.inputs[0][0]} + {len(blocks)} × {added} channels"


def _windows(target: Op | Module) -> list[str]:
    """The windows of the convolutions in a chain of layers, including those in blocks that are chains themselves."""
    if isinstance(target, Op):
        return [window(target)] if target.role == "convolution" else []
    if not target.is_seq and not _is_chain(target):
        return []
    return [found for step in target.steps for found in _windows(target.runs(step))]
