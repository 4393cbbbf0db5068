"""The greater or the smaller of values, element by element."""

from typing import Any, ClassVar

from archspec.ops.arithmetic import Combined
from archspec.ops.call import Call


class _Extreme(Combined):
    """Base class of the two."""

    verb: ClassVar[str] = "compare"

    def _call(self, left: Any, right: Any) -> Call:
        return Call(f"torch.{self.kind}", (left, right))


class Maximum(_Extreme):
    """The greater of two or more values, element by element, `torch.maximum`; with a number, that is `clamp`."""

    kind = "maximum"
    spelled = ("maximum(input, other)",)


class Minimum(_Extreme):
    """The smaller of two or more values, element by element, `torch.minimum`; with a number, that is `clamp`."""

    kind = "minimum"
    spelled = ("minimum(input, other)",)
