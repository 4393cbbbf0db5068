"""Ops on the dimensions of one value: selecting parts, expanding, padding, rolling."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.dimensions import MAX_RANK, Dimension, axis_of, dim_of, has_batch, sized
from archspec.ops.fields import Size
from archspec.ops.shapes import MAX_SIZE, Shape, ShapeError, Unbatched, Value, count, format_shape, require_rows
from archspec.ops.window import InputWindows, Only, Part, UnknownWindow, Window, Windows, same, spread

_WHOLE = slice(None)


def _index(shape: Shape, axis: int, part: int | slice) -> tuple[int | slice, ...]:
    """The indices in the brackets: `x[:, :, 1:3]` for the second of a sample's dimensions."""
    return (*[_WHOLE] * dim_of(shape, axis), part)


class Select(Op):
    """One position of a dimension, which is removed, `x[:, position]`."""

    kind = "select"
    needs_batch = False
    carries_integers = True
    view = True
    role = "shape"
    shown = ("position",)

    dim: Dimension = Field(1, description="the dimension, counted with the batch as 0")
    position: int = Field(gt=-MAX_SIZE, lt=MAX_SIZE, description="the position; negative from the end")

    def infer(self, *inputs: Shape) -> Shape:
        shape = inputs[0]
        axis = axis_of(shape, self.dim)
        self._position(shape, axis)
        return sized(shape, (*shape[:axis], *shape[axis + 1 :]))

    def _position(self, shape: Shape, axis: int) -> int:
        size, position = int(shape[axis]), int(self.position)
        if not -size <= position < size:
            raise ShapeError(f"dimension {self.dim} of {format_shape(shape)} has no position {position}",
                             f"its positions are 0 to {size - 1}, or -{size} to -1", "position")  # fmt: skip
        return position % size

    def windows(self, *inputs: Shape) -> Windows:
        axis = axis_of(inputs[0], self.dim)
        kept = [Window(dim) for dim in range(len(inputs[0])) if dim != axis]
        return ((*kept, Only(axis, self._position(inputs[0], axis))),)

    def function(self, *inputs: Shape) -> Call:
        axis = axis_of(inputs[0], self.dim)
        if dim_of(inputs[0], axis) == 0:
            return Call("Tensor.select", (Input(0), 0, self.position))
        return Call("operator.getitem", (Input(0), _index(inputs[0], axis, int(self.position))))


class Slice(Op):
    """The positions of a dimension from `start` to before `stop`, every `step`-th, `x[:, start:stop:step]`."""

    kind = "slice"
    needs_batch = False
    carries_integers = True
    view = True
    role = "shape"
    shown = ("places",)

    dim: Dimension = Field(1, description="the dimension, counted with the batch as 0")
    start: int = Field(0, gt=-MAX_SIZE, lt=MAX_SIZE, description="the first position; negative from the end")
    stop: int | None = Field(None, gt=-MAX_SIZE, lt=MAX_SIZE,
                             description="the position after the last; negative from the end")  # fmt: skip
    step: Size = Field(1, description="the distance between positions")

    @property
    def places(self) -> str:
        """The positions as Python writes them: `1:7`."""
        ends = (self.start or None, self.stop, *([self.step] if self.step > 1 else []))
        return ":".join("" if end is None else str(int(end)) for end in ends)

    def infer(self, *inputs: Shape) -> Shape:
        shape = inputs[0]
        axis = axis_of(shape, self.dim)
        start, stop = self._ends(shape, axis)
        size = stop - start
        return sized(shape, (*shape[:axis], (size + (self.step - 1)) // self.step, *shape[axis + 1 :]))

    def _ends(self, shape: Shape, axis: int) -> tuple[int, int]:
        """The first position, and the one after the last, both counted from the beginning."""
        size = shape[axis]
        start = size + self.start if self.start < 0 else self.start
        stop = size if self.stop is None else size + self.stop if self.stop < 0 else self.stop
        if not 0 <= int(start) < int(size):
            raise ShapeError(f"start {self.start} is outside of the {int(size)} positions of dimension {self.dim}",
                             f"it may be 0 to {int(size) - 1}, or negative from the end", "start")  # fmt: skip
        if not int(start) < int(stop) <= int(size):
            where = "beyond" if int(stop) > int(size) else f"not after start, {self.start}, in"
            message = f"stop {self.stop} is {where} the {int(size)} positions of dimension {self.dim}"
            raise ShapeError(message, f"stop may be {int(start) + 1} to {int(size)}, or negative from the end", "stop")
        return start, stop

    def windows(self, *inputs: Shape) -> Windows:
        axis = axis_of(inputs[0], self.dim)
        start, step = int(self._ends(inputs[0], axis)[0]), int(self.step)
        entry = Part(axis, start) if step == 1 else Window(axis, (start,), (start,), step)
        return (tuple(entry if dim == axis else Window(dim) for dim in range(len(inputs[0]))),)

    def function(self, *inputs: Shape) -> Call:
        start, stop, step = (_number(end) for end in (self.start or None, self.stop, self.step))
        part = slice(start, stop, None if step == 1 else step)
        return Call("operator.getitem", (Input(0), _index(inputs[0], axis_of(inputs[0], self.dim), part)))


class Index(Op):
    """Rows of a table, `table[index]`. The second input is a buffer of integers, which are positions of the table's
    first dimension. Neither has a batch."""

    kind = "index"
    needs_batch = False
    arity = (2, 2)
    takes_integers = frozenset({1})
    fresh = True
    role = "shape"

    def infer(self, *inputs: Shape) -> Shape:
        table, index = inputs
        if has_batch(table):
            raise ShapeError(f"the table, {format_shape(table)}, has a batch",
                             "it must be a parameter, a buffer, or computed from these only")  # fmt: skip
        require_rows("index", index, int(table[0]))
        return Unbatched((*index, *table[1:]))

    def windows(self, *inputs: Shape) -> Windows:
        return (None, None)

    def function(self, *inputs: Shape) -> Call:
        return Call("operator.getitem", (Input(0), Input(1)))


class Flip(Op):
    """The positions of dimensions in reverse order, `torch.flip`."""

    kind = "flip"
    spelled = ("flip(input, dims)",)
    needs_batch = False
    carries_integers = True
    role = "shape"
    fresh = True

    dims: list[Dimension] = Field(min_length=1, max_length=MAX_RANK, description="the dimensions, the batch being 0")

    def _axes(self, shape: Shape) -> list[int]:
        axes = [axis_of(shape, dim, "dims") for dim in self.dims]
        if len({*axes}) < len(axes):
            raise ShapeError(f"dims {[int(dim) for dim in self.dims]} name a dimension of {format_shape(shape)} twice",
                             "name each once", "dims")  # fmt: skip
        return axes

    def infer(self, *inputs: Shape) -> Shape:
        self._axes(inputs[0])
        return inputs[0]

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        return {"dims": [given["dims"]] if isinstance(given["dims"], int) else list(given["dims"])}

    def windows(self, *inputs: Shape) -> Windows:
        shape, axes = inputs[0], self._axes(inputs[0])
        moved = [axis in axes and int(shape[axis]) > 1 for axis in range(len(shape))]
        return (tuple(UnknownWindow(axis) if is_moved else Window(axis) for axis, is_moved in enumerate(moved)),)

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.flip", (Input(0), tuple(self.dims)))


def _number(value: int | None) -> int | None:
    return None if value is None else int(value)


class Expand(Op):
    """Repeats dimensions of size 1 without copying, `Tensor.expand`. A value without a batch can be expanded to the
    batch of a second value: its dimension 0, of size 1, becomes the batch."""

    kind = "expand"
    needs_batch = False
    carries_integers = True
    arity = (1, 2)
    batch_only = frozenset({1})
    view = True
    role = "shape"

    size: list[Literal[-1] | Size] | None = Field(
        None, min_length=1, max_length=MAX_RANK, description="the sizes without the batch; -1 keeps one"
    )

    def infer(self, *inputs: Shape) -> Shape:
        shape = inputs[0]
        own = self._own(*inputs)
        if self.size is None:
            if len(inputs) == 1:
                raise ShapeError("it needs a size, or a second value whose batch it takes",
                                 "write size: […], or from: [token, x]")  # fmt: skip
            return own
        if len(self.size) != len(own):
            raise ShapeError(f"{format_shape(own)} cannot be expanded to {len(self.size)} sizes",
                             f"write {len(own)}, with -1 for those that are kept", "size")  # fmt: skip
        for size, wanted in zip(own, self.size, strict=True):
            if wanted not in (-1, size) and (size != 1):
                raise ShapeError(f"{format_shape(own)} cannot be expanded to {_written(self.size)}",
                                 "only a size of 1 can be expanded; -1 keeps one", "size")  # fmt: skip
        sizes = [size if wanted == -1 else wanted for size, wanted in zip(own, self.size, strict=True)]
        return sized(shape if len(inputs) == 1 else own, sizes)

    def _own(self, *inputs: Shape) -> Shape:
        """The sizes before they are expanded, with a batch if the result has one."""
        shape = inputs[0]
        if len(inputs) == 1:
            return shape
        if has_batch(shape):
            raise ShapeError(f"{format_shape(shape)} has a batch already", "leave out the second value")
        if not has_batch(inputs[1]):
            raise ShapeError("input 2 has no batch to take",
                             "name a value that comes from the network's input")  # fmt: skip
        if len(shape) < 2 or int(shape[0]) != 1:
            raise ShapeError(f"dimension 0 of {format_shape(shape)} cannot become the batch",
                             f"it must be 1 and others must follow: shape: {[1, *map(int, shape)]}")  # fmt: skip
        return sized((1, 1), shape[1:])

    def windows(self, *inputs: Shape) -> Windows:
        own, output = self._own(*inputs), self.infer(*inputs)
        return (spread(own, output),) if len(inputs) == 1 else (spread(own, output), None)

    def function(self, *inputs: Shape) -> Call:
        own = self._own(*inputs)
        sizes = [-1] * len(own) if self.size is None else self.size
        if len(inputs) == 2:
            return Call("Tensor.expand", (Input(0), Call("Tensor.size", (Input(1), 0)), *sizes))
        return Call("Tensor.expand", (Input(0), *[-1] * has_batch(own), *sizes))


def _written(sizes: list[int]) -> str:
    return "×".join(str(int(size)) for size in sizes)


LEAST: Final = -3.4028234663852886e38
"""The least number in float32."""

Mode = Literal["constant", "reflect", "replicate", "circular"]


class Pad(Op):
    """Adds positions before and after those of the last dimensions, `F.pad`."""

    kind = "pad"
    spelled = ("pad(input, pad, mode='constant', value=None)",)
    needs_batch = False
    role = "shape"
    shown = ("sides",)

    pad: list[int] = Field(
        min_length=2, max_length=2 * MAX_RANK,
        description="positions added before and after the last dimension, then the one before it, …",
    )  # fmt: skip
    mode: Mode = Field("constant", description="their values: `value`, or those of positions of the input")
    value: float = Field(0.0, description="the value of added positions with mode constant")

    @property
    def sides(self) -> str:
        """The positions added, as text."""
        return ", ".join(str(int(number)) for number in self.pad)

    @model_validator(mode="after")
    def _pairs(self) -> Pad:
        if len(self.pad) % 2:
            raise ValueError(f"expected two numbers for each dimension, got {len(self.pad)} numbers in pad")
        if min(self.pad) < 0 or max(self.pad) >= MAX_SIZE:
            raise ValueError(f"expected numbers from 0 to {MAX_SIZE - 1:,} in pad; use slice to remove positions")
        if self.mode != "constant" and self.value:
            raise ValueError(f"mode {self.mode} takes no value: it repeats positions of the input")
        return self

    def infer(self, *inputs: Shape) -> Shape:
        shape = inputs[0]
        pairs = self._sides(shape)
        for axis, (before, behind) in enumerate(pairs):
            most = int(shape[axis]) - (self.mode == "reflect")
            if self.mode in ("reflect", "circular") and max(before, behind) > most:
                raise ShapeError(f"mode {self.mode} cannot pad {int(shape[axis])} positions by {max(before, behind)}",
                                 f"it may be at most {most}", "pad")  # fmt: skip
        return type(shape)(size + (before + behind) for size, (before, behind) in zip(shape, pairs, strict=True))

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        value = given["value"] or 0.0
        value = LEAST if value == -inf else value  # a maximum of it and any other number is the other
        return {"pad": list(given["pad"]), "mode": given["mode"], "value": value}

    def _sides(self, shape: Shape) -> list[tuple[int, int]]:
        """The positions added before and after each dimension."""
        padded, rank = len(self.pad) // 2, len(shape) + has_batch(shape)
        if padded > len(shape):
            raise ShapeError(f"{format_shape(shape)} has {len(shape)} dimensions, but pad is for {padded}",
                             f"write at most {2 * len(shape)} numbers", "pad")  # fmt: skip
        if self.mode != "constant" and (padded > 3 or rank not in (padded + 1, padded + 2)):
            fits = " or ".join(str(2 * n) for n in (rank - 2, rank - 1) if 0 < n <= min(3, len(shape)))
            raise ShapeError(f"mode {self.mode} cannot pad {padded} of the dimensions of {format_shape(shape)}",
                             f"write {fits} numbers" if fits else "use mode: constant", "pad")  # fmt: skip
        last_first = [(int(self.pad[n]), int(self.pad[n + 1])) for n in range(0, len(self.pad), 2)]
        return [*[(0, 0)] * (len(shape) - padded), *reversed(last_first)]

    def windows(self, *inputs: Shape) -> Windows:
        sides = self._sides(inputs[0])
        return (tuple(self._window(axis, *side) for axis, side in enumerate(sides)),)

    def _window(self, axis: int, before: int, behind: int) -> Window | UnknownWindow:
        if self.mode != "constant" and (before or behind):
            return UnknownWindow(axis)
        return Window(axis, (-before,), (-before,))

    def function(self, *inputs: Shape) -> Call:
        given: dict[str, Any] = {"mode": self.mode} if self.mode != "constant" else {}
        given |= {"value": self.value} if self.value else {}
        return Call("F.pad", (Input(0), tuple(self.pad)), given)


class Roll(Op):
    """Shifts the positions of dimensions cyclically, `torch.roll`."""

    kind = "roll"
    spelled = ("roll(input, shifts, dims)",)
    needs_batch = False
    carries_integers = True
    role = "shape"
    shown = ("moves",)
    fresh = True

    shifts: list[int] = Field(min_length=1, max_length=MAX_RANK, description="by how much each dimension is shifted")
    dims: list[Dimension] = Field(min_length=1, max_length=MAX_RANK, description="the dimensions, the batch being 0")

    @property
    def moves(self) -> str:
        """The shifts, as text."""
        return ", ".join(str(int(shift)) for shift in self.shifts)

    @model_validator(mode="after")
    def _one_each(self) -> Roll:
        if len(self.shifts) != len(self.dims):
            raise ValueError(f"expected one shift for each dimension, got {len(self.shifts)} for {len(self.dims)}")
        if max(map(abs, self.shifts)) >= MAX_SIZE:
            raise ValueError(f"expected shifts below {MAX_SIZE:,}")
        return self

    def infer(self, *inputs: Shape) -> Shape:
        for dim in self.dims:
            axis_of(inputs[0], dim, "dims")
        return inputs[0]

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        return {name: [given[name]] if isinstance(given[name], int) else list(given[name])
                for name in ("shifts", "dims")}  # fmt: skip

    def windows(self, *inputs: Shape) -> Windows:
        shape = inputs[0]
        moved = {
            axis_of(shape, dim) for dim, shift in zip(self.dims, self.shifts, strict=True)
            if shift % int(shape[axis_of(shape, dim)])
        }  # fmt: skip
        entries: InputWindows = tuple(
            UnknownWindow(axis) if axis in moved else entry for axis, entry in enumerate(same(len(shape)))
        )
        return (entries,)

    def work(self, inputs: tuple[Shape, ...], output: Value) -> int:
        return 2 * len(self.dims) * count(output)

    def function(self, *inputs: Shape) -> Call:
        return Call("torch.roll", (Input(0), tuple(self.shifts), tuple(self.dims)))
