"""Products of matrices."""

from pydantic import Field

from archspec.ops.arithmetic import broadcast
from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.dimensions import has_batch, sized
from archspec.ops.shapes import Shape, ShapeError, format_shape, numel
from archspec.ops.window import InputWindows, Window, Windows, spread


class MatMul(Op):
    """Product of matrices, the last two dimensions of two values, `torch.matmul`; the dimensions before them are
    broadcast. A value without a batch is applied to every sample."""

    kind = "matmul"
    spelled = ("matmul(input, other)", "bmm(input, mat2)")
    needs_batch = False
    arity = (2, 2)
    role = "join"

    transpose_b: bool = Field(False, description="whether the second value's last two dimensions are swapped")

    def infer(self, *inputs: Shape) -> Shape:
        left, right = inputs
        self._check(left, right)
        inner, columns = (right[-1], right[-2]) if self.transpose_b else (right[-2], right[-1])
        if left[-1] != inner:
            of = " transposed" if self.transpose_b else ""
            raise ShapeError(f"cannot multiply the matrices {format_shape(left)} and {format_shape(right)}{of}",
                             f"the rows of the first have {int(left[-1])} numbers, the columns of the second "
                             f"{int(inner)}")  # fmt: skip
        leading = self._leading(left, right)
        like = next((shape for shape in inputs if has_batch(shape)), left)
        return sized((1, 1) if has_batch(like) else like, (*leading, *left[-2:-1], columns))

    def _check(self, left: Shape, right: Shape) -> None:
        """Raise `ShapeError` unless both values end with matrices whose rows are not samples."""
        for number, shape in enumerate((left, right)):
            of_samples = number == 0 and len(shape) == 1 and has_batch(shape) and not has_batch(right)
            if len(shape) < 2 and not (of_samples and len(right) == 2):
                raise ShapeError(f"input {number + 1}, {format_shape(shape)}, is not a matrix per sample",
                                 "the last two dimensions of both are the matrices")  # fmt: skip

    def _leading(self, left: Shape, right: Shape) -> tuple[int, ...]:
        """The dimensions before the matrices, without the batch."""
        if len(left) == 1:
            return ()
        first, second = left[:-2], right[:-2]
        if has_batch(left) != has_batch(right):
            first, second = (of_sample(a, b) if not has_batch(a) else a[:-2] for a, b in ((left, right), (right, left)))
        elif has_batch(left) and len(left) != len(right):
            raise ShapeError(f"cannot multiply the matrices of {format_shape(left)} and {format_shape(right)}",
                             "values with a batch must have the same number of dimensions")  # fmt: skip
        sizes = broadcast(first, second)
        if sizes is None:
            raise ShapeError(f"cannot multiply the matrices of {format_shape(left)} and {format_shape(right)}",
                             "the dimensions before the matrices must agree or be 1")  # fmt: skip
        return sizes

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:  # type: ignore[override]
        return numel(output) * int(inputs[0][-1])

    def windows(self, *inputs: Shape) -> Windows:
        left, right = inputs
        rank = len(self.infer(left, right))
        leading: tuple[int, ...] = self._leading(left, right)
        rows: InputWindows = (Window(len(left) - 2),) if len(left) > 1 else ()
        columns = Window(len(right) - (2 if self.transpose_b else 1))
        before = [(*spread(shape[:-2], leading),) for shape in inputs]
        gap: InputWindows = (None,) * (rank - len(leading) - 1)
        return ((*before[0], *rows, None), (*before[1], *gap, columns))

    def function(self, *inputs: Shape) -> Call:
        right = Call("Tensor.transpose", (Input(1), -2, -1)) if self.transpose_b else Input(1)
        return Call("torch.matmul", (Input(0), right))


def of_sample(parameter: Shape, value: Shape) -> tuple[int, ...]:
    """The dimensions before the matrices of a value without a batch, as applied to each sample of another value."""
    sizes = parameter[:-2]
    if len(sizes) == len(value) - 1 and sizes[0] == 1:
        return sizes[1:]
    if len(sizes) > len(value) - 2:
        raise ShapeError(f"cannot multiply the matrices of {format_shape(parameter)} and {format_shape(value)}",
                         "a parameter is applied to each sample: a dimension for samples must be 1")  # fmt: skip
    return sizes
