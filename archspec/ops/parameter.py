"""Tensors that a block itself owns."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from archspec.ops.base import Op
from archspec.ops.dimensions import MAX_RANK
from archspec.ops.distributions import distribution
from archspec.ops.fields import Size
from archspec.ops.initialisers import OF_MATRICES, parse_initialiser
from archspec.ops.initialisers import Given as Initialiser
from archspec.ops.shapes import Shape, Unbatched
from archspec.ops.window import Windows


class Parameter(Op):
    """A trainable tensor of the block itself, `nn.Parameter`, under the item's name. It has no input.

    It has no batch dimension; in `add`, `sub` and `mul` it applies to every sample.
    """

    kind = "parameter"
    raw = True
    arity = (0, 0)
    numbers = frozenset({"shape", "value", "init"})
    initialised_by = frozenset({"init"})

    shape: list[Size] = Field(max_length=MAX_RANK, description="sizes of the tensor; none for one number")
    value: float = Field(0.0, description="initial value of its elements")
    init: Initialiser | None = Field(
        None, description="an initialiser in place of `value`; random numbers are drawn in the order of the items"
    )

    @model_validator(mode="after")
    def _can_be_filled(self) -> Parameter:
        if self.init is not None and "value" in self.model_fields_set:
            raise ValueError("expected either value or init, got both")
        if len(self.shape) < 2 and self.filling()[0] in OF_MATRICES:
            count = "one" if self.shape else "none"
            raise ValueError(f"{self.filling()[0]} needs at least two dimensions, but shape has {count}")
        return self

    def infer(self, *inputs: Shape) -> Shape:
        return Unbatched(self.shape)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"": tuple(self.shape)}

    def windows(self, *inputs: Shape) -> Windows:
        return ()

    def computed_fields(self, *inputs: Shape) -> dict[str, Any]:
        return {"shape": [int(size) for size in self.shape], "init": distribution(*self.filling(), self.shape)}

    def filling(self) -> tuple[str, dict[str, Any]]:
        return parse_initialiser(self.value if self.init is None else self.init)
