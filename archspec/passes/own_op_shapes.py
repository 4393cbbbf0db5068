"""The output shape of an own op: code of the user's, whose exceptions become errors of the spec."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from archspec.diagnostics.diagnostic import SpecError, UnlocatedError
from archspec.diagnostics.user_code import described
from archspec.ops.base import Op
from archspec.ops.shapes import Shape, Value


class OwnOpError(UnlocatedError):
    """A method of an own op raises an exception, or `infer` returns something that is no shape."""

    kind = "usage"


def own_output(op: Op, shapes: tuple[Shape, ...]) -> Value:
    """The output shape of an own op; raises `OwnOpError` if a method that describes the op raises an exception.

    All of them are called here, so that the error is that of an item, and not of whatever needs the method first.
    """
    output: Value = _called(op, "yields", *shapes)
    if not _is_shape(output) and not (isinstance(output, tuple) and output and all(map(_is_shape, output))):
        raise OwnOpError(f"{_name(op)}.infer returned {output!r:.60}",
                         "it returns a shape, a tuple of integers, or a tuple of shapes")  # fmt: skip
    for method in ("parameters", "buffers", "windows"):
        _called(op, method, *shapes)
    _called(op, "macs", shapes, output)
    return output


def _called(op: Op, method: str, *given: Any) -> Any:
    function: Callable[..., Any] = getattr(op, method)
    try:
        return function(*given)
    except (SpecError, UnlocatedError):
        raise
    except Exception as error:
        name = "infer" if method == "yields" else method
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise OwnOpError(
            f"{_name(op)}.{name} raised {described(error)}", f"raised in {last.filename}, line {last.lineno}"
        ) from None


def _name(op: Op) -> str:
    return f"{type(op).__module__}.{type(op).__qualname__}"


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(size, int) and size > 0 for size in value)
