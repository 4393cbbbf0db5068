"""Numbers kept within a range."""

from __future__ import annotations

from pydantic import Field, model_validator

from archspec.ops.base import Op
from archspec.ops.call import Call, Input
from archspec.ops.shapes import Shape


class Clamp(Op):
    """x, but no less than `min` and no more than `max`, `torch.clamp`."""

    kind = "clamp"
    spelled = ("clamp(input, min=None, max=None)",)
    elementwise = True
    fresh = True
    role = "activation"
    shown = ("range",)
    numbers = frozenset({"min", "max"})

    min: float | None = Field(None, description="the least value")
    max: float | None = Field(None, description="the greatest value")

    @property
    def range(self) -> str:
        """The range of its values, as text: `0 to 6`."""
        if self.min is None or self.max is None:
            return f"≥ {self.min:g}" if self.max is None else f"≤ {self.max:g}"
        return f"{self.min:g} to {self.max:g}"

    @model_validator(mode="after")
    def _ends(self) -> Clamp:
        if self.min is None and self.max is None:
            raise ValueError("expected min, max or both, got neither")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"expected min to be at most max, got {self.min} and {self.max}")
        return self

    def function(self, *inputs: Shape) -> Call:
        ends = {"min": self.min, "max": self.max}
        return Call("torch.clamp", (Input(0),), {name: end for name, end in ends.items() if end is not None})
