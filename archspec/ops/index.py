"""Rows of a table."""

from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.dimensions import has_batch
from archspec.ops.shapes import Shape, ShapeError, Unbatched, format_shape, require_rows
from archspec.ops.window import Windows


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
