"""The labels of ops and blocks in an image, such as `conv 7×7/2, 64`, and counts with three digits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archspec.ir.module import Module
from archspec.ops.base import Op
from archspec.ops.fields import each
from archspec.ops.shapes import Shape


def phrase(op: Op, shapes: tuple[Shape, ...]) -> str:
    """An op with its most important numbers: `conv 7×7/2, 64`, `max pool 3×3/2`, `linear 1000`, `dropout 0.5`."""
    parts = [op.title(), window(op)]
    parts += [f"to {_extent(each(op.output_size, op.rank))}"] if hasattr(op, "output_size") else []
    parts += [_extent(getattr(op, name)) for name in op.shown]
    head = " ".join(part for part in parts if part)
    return ", ".join([head, *_settings(op, shapes)])


def block_title(module: Module) -> str:
    """The name of a module's block, without the SE of squeeze-and-excitation if an argument leaves that out."""
    without = module.arguments.get("use_se") is False
    return module.definition.removesuffix("SE") if without else module.definition


def window(op: Op) -> str:
    """`3×3`, with `/2` for a stride; empty for an op without a window.

    >>> from archspec.ops import OPS
    >>> window(OPS["conv2d"].model_validate({"out_channels": 64, "kernel_size": 7, "stride": 2}))
    '7×7/2'
    """
    kernel: Any = getattr(op, "kernel_size", None)
    stride: Any = getattr(op, "step", None) or getattr(op, "stride", 1)
    if kernel is None:
        return ""
    steps = each(stride, op.rank)
    moves = "" if set(steps) == {1} else f"/{_extent(steps if len(set(steps)) > 1 else steps[0])}"
    return _extent(each(kernel, op.rank)) + moves


def _settings(op: Op, shapes: tuple[Shape, ...]) -> Iterator[str]:
    fields: dict[str, Any] = {name: getattr(op, name, None) for name in ("out_channels", "groups", "dilation")}
    if fields["out_channels"] is not None:
        yield str(int(fields["out_channels"]))
    if (fields["groups"] or 1) > 1:
        yield "depthwise" if fields["groups"] == shapes[0][0] else f"{fields['groups']} groups"
    if fields["dilation"] not in (None, 1, (1, 1), (1, 1, 1)):
        yield f"dilation {_extent(fields['dilation'])}"


def _extent(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return "×".join(str(part) for part in value) if isinstance(value, tuple | list) else f"{value:g}"


def quantity(count: int) -> str:
    """A count with three digits.

    >>> quantity(44549160), quantity(9408), quantity(640)
    ('44.5 M', '9.41 K', '640')
    """
    for unit, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("K", 10**3)):
        if count >= size:
            scaled = count / size
            return f"{scaled:.{2 - min(2, len(str(int(scaled))) - 1)}f} {unit}"
    return str(count)
