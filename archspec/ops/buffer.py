"""Buffers: tensors of a block that are calculated once, when it is constructed, and never trained."""

from __future__ import annotations

import math
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from archspec.ops.base import Op, fields_of
from archspec.ops.call import Argument, Call
from archspec.ops.dimensions import MAX_RANK
from archspec.ops.fields import Pair, PositivePair, Size, each
from archspec.ops.shapes import MAX_SIZE, Shape, ShapeError, Unbatched, format_shape, integers, numel  # fmt: skip
from archspec.ops.window import Windows

Values = Literal["zeros", "ones", "arange", "eye", "relative_position_index", "distance_index", "relative_coords_table",
                 "shift_mask", "causal_mask"]  # fmt: skip

_NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "zeros": ("shape",), "ones": ("shape",), "arange": ("shape",), "eye": ("shape",),
    "relative_position_index": ("window_size",), "relative_coords_table": ("window_size",),
    "distance_index": ("window_size",),
    "shift_mask": ("size", "window_size", "shift_size"), "causal_mask": ("size",), "numbers": (),
}  # fmt: skip
"""The fields that each kind of values is calculated from."""

_TAKES: Final[dict[str, tuple[str, ...]]] = {
    "zeros": ("dtype",), "ones": ("dtype",), "arange": ("dtype", "start", "step"), "numbers": ("dtype",),
    "relative_position_index": ("class_token",), "distance_index": ("stride",),
    "relative_coords_table": ("pretrained_window_size",),
}  # fmt: skip
"""The fields that it takes besides these and `shape`."""

_OF_INTEGERS: Final = ("arange", "relative_position_index", "distance_index")
"""The kinds of values that are integers, unless `dtype` says something else."""

_CALLED: Final = ("zeros", "ones", "eye", "arange")
"""Those that are functions of torch."""


class Buffer(Op):
    """A tensor of the block itself that is calculated and not trained, `nn.Buffer`, under the item's name. It has no
    input and no batch dimension."""

    kind = "buffer"
    raw = True
    arity = (0, 0)
    numbers = frozenset({"shape"})
    helpers = (
        "archspec.backends.torch.buffers:relative_position_index",
        "archspec.backends.torch.buffers:with_class_token",
        "archspec.backends.torch.buffers:distance_index",
        "archspec.backends.torch.buffers:relative_coords_table",
        "archspec.backends.torch.buffers:shift_mask",
        "archspec.backends.torch.buffers:causal_mask",
    )

    values: Values | Annotated[list[int | float], Field(min_length=1)] = Field(
        description="the kind of values, see [Buffers](#buffers), or the numbers themselves"
    )
    shape: list[Literal[-1] | Size] | None = Field(
        None, max_length=MAX_RANK,
        description="sizes of the tensor, none for one number; values with sizes of their own are reshaped to these",
    )  # fmt: skip
    start: int | float = Field(0, gt=-MAX_SIZE, lt=MAX_SIZE, description="the first number of arange")
    step: int | float = Field(1, gt=0, lt=MAX_SIZE, description="the distance between two numbers of arange")
    window_size: PositivePair | None = Field(None, description="height and width of a window")
    pretrained_window_size: PositivePair | None = Field(
        None, description="height and width of the windows that weights were trained with, if these are others"
    )
    class_token: bool = Field(False, description="whether a class token precedes the positions of the window")
    stride: Size = Field(1, description="the distance between two rows or columns of queries")
    shift_size: Pair | None = Field(None, description="rows and columns that a feature map is shifted by")
    size: PositivePair | None = Field(
        None, description="height and width of the feature map; for causal_mask, queries and keys"
    )
    dtype: Literal["float32", "int64"] | None = Field(
        None, description="int64 makes zeros, ones and numbers integers; float32 makes those of arange real numbers"
    )
    persistent: bool = Field(True, description="whether it is saved in the `state_dict`")

    @property
    def way(self) -> str:
        """The kind of values: `numbers` if they are listed."""
        return self.values if isinstance(self.values, str) else "numbers"

    @model_validator(mode="after")
    def _has_its_fields(self) -> Buffer:
        needed, given = _NEEDS[self.way], self.__dict__
        missing = [name for name in needed if given[name] is None]
        if missing:
            raise ValueError(f"values {self.way} needs {', '.join(missing)}")
        takes = (*needed, *_TAKES.get(self.way, ()), "shape", "values", "persistent")
        unused = [name for name, default in fields_of(Buffer).items() if name not in takes and given[name] != default]
        if unused == ["dtype"]:
            raise ValueError(f"values {self.way} takes no dtype: its type is fixed")
        if unused:
            raise ValueError(f"values {self.way} takes no {', '.join(unused)}")
        least = 1 if needed == ("shape",) else -1
        if self.shape and (min(self.shape) < least or self.shape.count(-1) > 1):
            reason = "one size at most may be -1" if least < 0 else f"values {self.way} needs all sizes"
            raise ValueError(f"{reason}, got {[int(size) for size in self.shape]} for shape")
        self._check_numbers()
        return self

    def _check_numbers(self) -> None:
        """Raise `ValueError` for integers that are negative or not whole, and for an `eye` that is not a matrix."""
        numbers = [self.start, self.step, *(self.values if isinstance(self.values, list) else ())]
        if self.holds_integers and not all(isinstance(number, int) and number >= 0 for number in numbers):
            raise ValueError("int64 values are integers from 0 on; dtype: float32 allows others")
        if self.way == "eye" and self.shape is not None and len(self.shape) != 2:
            raise ValueError(f"values eye needs two sizes, rows and columns, got {len(self.shape)}")

    def infer(self, *inputs: Shape) -> Shape:
        sizes = self._sizes()
        return integers(self._below(sizes), True)(sizes) if self.holds_integers else Unbatched(sizes)

    @property
    def holds_integers(self) -> bool:
        """Whether it holds integers."""
        return self.dtype == "int64" or (self.dtype is None and self.way in _OF_INTEGERS)

    def _below(self, sizes: tuple[int, ...]) -> int:
        """The number that its integers are below."""
        if self.window_size is not None:
            rows, columns = each(self.window_size)
            steps = int((2 * rows - 1) * (2 * columns - 1)) + 3 * self.class_token
            return int(rows * columns) if self.values == "distance_index" else steps
        if isinstance(self.values, list):
            return 1 + int(max(self.values))
        last = int(self.start) + int(self.step) * (numel(sizes) - 1)
        return {"zeros": 1, "ones": 2}.get(self.way) or 1 + last

    def _sizes(self) -> tuple[int, ...]:
        """The sizes of the tensor."""
        own, shape = self._own_sizes(), self.shape
        if numel(own) >= MAX_SIZE:
            raise ShapeError(f"a buffer of {format_shape(own)} is too large", f"at most {MAX_SIZE - 1:,} values")
        if shape is None:
            return own
        known = math.prod(size for size in shape if size != -1)
        if numel(own) % known or (-1 not in shape and numel(own) != known):
            raise ShapeError(f"values {self.way} are {format_shape(own)}, which cannot be reshaped to "
                             f"{'×'.join(str(int(size)) for size in shape) or 'one number'}",
                             f"the sizes multiply to {numel(own)}; one may be -1", "shape")  # fmt: skip
        return tuple(math.prod(own) // known if size == -1 else size for size in shape)

    def _own_sizes(self) -> tuple[int, ...]:
        """The sizes of the tensor before it is reshaped."""
        if isinstance(self.values, list):
            return () if self._is_number else (len(self.values),)
        if self.values == "causal_mask":
            assert self.size is not None
            return each(self.size)
        if self.window_size is None:
            assert self.shape is not None
            return tuple(self.shape)
        rows, columns = each(self.window_size)
        if self.values == "relative_position_index":
            return (rows * columns + self.class_token, rows * columns + self.class_token)
        if self.values == "distance_index":
            return (-(-rows // self.stride) * -(-columns // self.stride), rows * columns)
        if self.values == "relative_coords_table":
            for name in ("window_size", "pretrained_window_size"):
                if min(each(getattr(self, name) or 2)) < 2:
                    raise ShapeError("a window of one row or column has no relative coordinates",
                                     f"{name} may be 2 or more", name)  # fmt: skip
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
        made = Call(self._function(), self._given())
        call = self._reshaped(Call("with_class_token", (made,)) if self.class_token else made)
        if self.dtype is None or self.holds_integers == (self.way in _OF_INTEGERS or self._lists_integers()):
            return call
        return Call("Tensor.long" if self.holds_integers else "Tensor.float", (call,))

    def _lists_integers(self) -> bool:
        """Whether its numbers are written as integers, which torch makes a tensor of integers."""
        return isinstance(self.values, list) and self.holds_integers

    @property
    def _is_number(self) -> bool:
        """Whether it is one number, without dimensions."""
        return self.shape == [] and isinstance(self.values, list) and len(self.values) == 1

    def _function(self) -> str:
        if self.way in _CALLED:
            return f"torch.{self.values}"
        return "torch.tensor" if isinstance(self.values, list) else self.values

    def _given(self) -> tuple[Argument, ...]:
        if isinstance(self.values, list):
            numbers = [int(number) if self.holds_integers else float(number) for number in self.values]
            return (Argument("values", numbers[0] if self._is_number else numbers),)
        if self.values == "arange":
            return self._range(math.prod(self._sizes()))
        if self.values == "eye":
            return tuple(map(Argument, ("rows", "columns"), self._sizes()))
        if self.values in _CALLED:
            return (Argument("shape", tuple(self._sizes())),)
        stride = (Argument("stride", self.stride),) if self.stride != 1 else ()
        given = (*_NEEDS[self.values], *(["pretrained_window_size"] if self.pretrained_window_size else []))
        return (*(Argument(name, each(getattr(self, name))) for name in given), *stride)

    def _range(self, count: int) -> tuple[Argument, ...]:
        """The arguments of `torch.arange` for so many numbers."""
        if self.step == 1:
            return (*([Argument("start", self.start)] if self.start else []), Argument("end", self.start + count))
        end = self.start + count * self.step
        if not (isinstance(self.start, int) and isinstance(self.step, int)):
            end -= self.step / 2  # a product that was rounded up would add a number
        return (Argument("start", self.start), Argument("end", end), Argument("step", self.step))

    def _reshaped(self, call: Call) -> Call:
        made: Any = (math.prod(self._sizes()),) if self.values == "arange" else self._own_sizes()
        if self.shape is None or tuple(self._sizes()) == tuple(made):
            return call
        if len(self.shape) == 1:
            return Call("Tensor.flatten", (call,))
        return Call("Tensor.reshape", (call, Argument("shape", tuple(self.shape))))
