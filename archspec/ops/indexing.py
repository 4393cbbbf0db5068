"""Parts of a value by their positions."""

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.dimensions import Dimension, axis_of, dim_of, sized
from archspec.ops.fields import Size
from archspec.ops.shapes import MAX_SIZE, Shape, ShapeError, format_shape
from archspec.ops.window import Only, Part, Window, Windows

_WHOLE = slice(None)


def _index(shape: Shape, axis: int, part: int | slice) -> tuple[int | slice, ...]:
    """The indices in the brackets: `x[:, :, 1:3]` for the second of a sample's dimensions."""
    return (*[_WHOLE] * dim_of(shape, axis), part)


def _number(value: int | None) -> int | None:
    return None if value is None else int(value)


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
