"""Buffers: tensors of a block that are calculated once, when it is constructed, and never trained."""

from __future__ import annotations

import math
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from archspec.ops.base import Op
from archspec.ops.call import Argument, Call
from archspec.ops.dimensions import MAX_RANK
from archspec.ops.fields import Pair, PositivePair, Size, each
from archspec.ops.shapes import MAX_SIZE, Shape, ShapeError, Unbatched, format_shape, integers, numel  # fmt: skip
from archspec.ops.window import Windows

Values = Literal["zeros", "ones", "arange", "relative_position_index", "relative_coords_table", "shift_mask",
                 "causal_mask"]  # fmt: skip

_NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "zeros": ("shape",), "ones": ("shape",), "arange": ("shape",),
    "relative_position_index": ("window_size",), "relative_coords_table": ("window_size",),
    "shift_mask": ("size", "window_size", "shift_size"), "causal_mask": ("size",),
}  # fmt: skip
"""The fields that each kind of values is calculated from."""

_OF_INTEGERS: Final = ("arange", "relative_position_index")
_OF_EITHER: Final = ("zeros", "ones")


class Buffer(Op):
    """A tensor of the block itself that is calculated and not trained, `nn.Buffer`, under the item's name. It has no
    input and no batch dimension."""

    kind = "buffer"
    raw = True
    arity = (0, 0)
    numbers = frozenset({"shape"})
    helpers = (
        "archspec.backends.torch.buffers:relative_position_index",
        "archspec.backends.torch.buffers:relative_coords_table",
        "archspec.backends.torch.buffers:shift_mask",
        "archspec.backends.torch.buffers:causal_mask",
    )

    values: Values = Field(description="the kind of values, see [Buffers](#buffers)")
    shape: list[Literal[-1] | Size] | None = Field(
        None, min_length=1, max_length=MAX_RANK,
        description="sizes of the tensor; values that have sizes of their own are reshaped to these",
    )  # fmt: skip
    window_size: PositivePair | None = Field(None, description="height and width of a window")
    shift_size: Pair | None = Field(None, description="rows and columns that a feature map is shifted by")
    size: PositivePair | None = Field(
        None, description="height and width of the feature map; for causal_mask, queries and keys"
    )
    dtype: Literal["float32", "int64"] | None = Field(None, description="int64 makes zeros and ones integers")
    persistent: bool = Field(True, description="whether it is saved in the `state_dict`")

    @model_validator(mode="after")
    def _has_its_fields(self) -> Buffer:
        needed = _NEEDS[self.values]
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f"values {self.values} needs {', '.join(missing)}")
        takes = (*needed, "shape")
        unused = [n for n in ("window_size", "shift_size", "size") if n not in takes and getattr(self, n) is not None]
        if unused:
            raise ValueError(f"values {self.values} takes no {', '.join(unused)}")
        if self.dtype is not None and self.values not in _OF_EITHER:
            raise ValueError(f"values {self.values} takes no dtype: its type is fixed")
        least = 1 if needed == ("shape",) else -1
        if self.shape is not None and (min(self.shape) < least or self.shape.count(-1) > 1):
            reason = "one size at most may be -1" if least < 0 else f"values {self.values} needs all sizes"
            raise ValueError(f"{reason}, got {[int(size) for size in self.shape]} for shape")
        return self

    def infer(self, *inputs: Shape) -> Shape:
        sizes = self._sizes()
        return integers(self._below(sizes), True)(sizes) if self.holds_integers else Unbatched(sizes)

    @property
    def holds_integers(self) -> bool:
        """Whether it holds integers."""
        return self.values in _OF_INTEGERS or self.dtype == "int64"

    def _below(self, sizes: tuple[int, ...]) -> int:
        """The number that its integers are below."""
        if self.window_size is not None:
            rows, columns = each(self.window_size)
            return int((2 * rows - 1) * (2 * columns - 1))
        return {"zeros": 1, "ones": 2}.get(self.values) or numel(sizes)

    def _sizes(self) -> tuple[int, ...]:
        """The sizes of the tensor."""
        own, shape = self._own_sizes(), self.shape
        if numel(own) >= MAX_SIZE:
            raise ShapeError(f"a buffer of {format_shape(own)} is too large", f"at most {MAX_SIZE - 1:,} values")
        if shape is None:
            return own
        known = math.prod(size for size in shape if size != -1)
        if numel(own) % known or (-1 not in shape and numel(own) != known):
            raise ShapeError(f"values {self.values} are {format_shape(own)}, which cannot be reshaped to "
                             f"{'×'.join(str(int(size)) for size in shape)}",
                             f"the sizes multiply to {numel(own)}; one may be -1", "shape")  # fmt: skip
        return tuple(math.prod(own) // known if size == -1 else size for size in shape)

    def _own_sizes(self) -> tuple[int, ...]:
        """The sizes of the tensor before it is reshaped."""
        if self.values == "causal_mask":
            assert self.size is not None
            return each(self.size)
        if self.window_size is None:
            assert self.shape is not None
            return tuple(self.shape)
        rows, columns = each(self.window_size)
        if self.values == "relative_position_index":
            return (rows * columns, rows * columns)
        if self.values == "relative_coords_table":
            if min(rows, columns) < 2:
                raise ShapeError("a window of one row or column has no relative coordinates",
                                 "window_size may be 2 or more", "window_size")  # fmt: skip
            return (1, 2 * rows - 1, 2 * columns - 1, 2)
        return (self._windows(), 1, rows * columns, rows * columns)

    def _windows(self) -> int:
        """The number of windows of a feature map."""
        assert self.size is not None
        assert self.window_size is not None
        assert self.shift_size is not None
        count = 1
        for size, window, shift in zip(*map(each, (self.size, self.window_size, self.shift_size)), strict=True):
            if size % window:
                raise ShapeError(f"{int(size)} positions cannot be split into windows of {int(window)}",
                                 "pad the feature map to a multiple", "size")  # fmt: skip
            if shift >= window:
                raise ShapeError(f"a shift of {int(shift)} is too large for windows of {int(window)}",
                                 "shift_size must be smaller than window_size", "shift_size")  # fmt: skip
            count *= size // window
        return count

    def buffers(self, *inputs: Shape) -> dict[str, Shape]:
        return {"": tuple(self._sizes())}

    def saved(self, *inputs: Shape) -> dict[str, Shape]:
        return self.buffers() if self.persistent else {}

    def windows(self, *inputs: Shape) -> Windows:
        return ()

    def tensor(self) -> Call:
        call = self._reshaped(Call(self._function(), self._given()))
        return Call("Tensor.long", (call,)) if self.dtype == "int64" else call

    def _function(self) -> str:
        return f"torch.{self.values}" if _NEEDS[self.values] == ("shape",) else self.values

    def _given(self) -> tuple[Argument, ...]:
        if self.values == "arange":
            return (Argument("end", math.prod(self._sizes())),)
        if _NEEDS[self.values] == ("shape",):
            return (Argument("shape", tuple(self._sizes())),)
        return tuple(Argument(name, each(getattr(self, name))) for name in _NEEDS[self.values])

    def _reshaped(self, call: Call) -> Call:
        made: Any = self._own_sizes() if self.values != "arange" else (math.prod(self._sizes()),)
        if self.shape is None or tuple(self._sizes()) == tuple(made):
            return call
        if len(self.shape) == 1:
            return Call("Tensor.flatten", (call,))
        return Call("Tensor.reshape", (call, Argument("shape", tuple(self.shape))))
