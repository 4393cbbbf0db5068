"""Rows of a learned table, selected by integers."""

from __future__ import annotations

from pydantic import Field, model_validator

from archspec.diagnostics.validation import field_error, field_errors
from archspec.ops.base import Op
from archspec.ops.call import Argument
from archspec.ops.dimensions import has_batch
from archspec.ops.fields import Size
from archspec.ops.shapes import ChannelsLast, Shape, Unbatched, Value, count, require_rows
from archspec.ops.window import Windows, same


class Embedding(Op):
    """A learned vector for each token id or other integer, `nn.Embedding`; features are the last dimension."""

    kind = "embedding"
    module = "nn.Embedding"
    needs_batch = False
    takes_integers = frozenset({0})
    fresh = True
    role = "linear"
    shown = ("num_embeddings", "embedding_dim")
    numbers = frozenset({"num_embeddings", "embedding_dim"})
    holds = frozenset({"weight"})

    num_embeddings: Size = Field(description="rows of the table: integers are below this")
    embedding_dim: Size = Field(description="features of each row")
    padding_idx: int | None = Field(
        None, description="an integer whose row is initially zero and not trained; negative from the end"
    )

    @model_validator(mode="after")
    def _padding_is_a_row(self) -> Embedding:
        rows = int(self.num_embeddings)
        if self.padding_idx is not None and not -rows <= self.padding_idx < rows:
            message = f"expected one of the {rows} rows, got {int(self.padding_idx)}"
            raise field_errors(field_error(("padding_idx",), message, f"it may be 0 to {rows - 1}, or -{rows} to -1"))
        return self

    def infer(self, *inputs: Shape) -> Shape:
        ids = inputs[0]
        require_rows("embedding", ids, int(self.num_embeddings), "num_embeddings")
        sizes = (*ids, self.embedding_dim)
        if not has_batch(ids):
            return Unbatched(sizes)
        return ChannelsLast(sizes) if len(sizes) == 3 else sizes

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"weight": (self.num_embeddings, self.embedding_dim)}

    def work(self, inputs: tuple[Shape, ...], output: Value) -> int:
        return 2 * count(output)

    def windows(self, *inputs: Shape) -> Windows:
        return ((*same(len(inputs[0])), None),)

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (
            self.argument("num_embeddings", positional=True),
            self.argument("embedding_dim", positional=True),
            self.argument("padding_idx"),
        )
