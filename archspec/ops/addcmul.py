"""A sum with a product."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from archspec.ops.arithmetic import Broadcast
from archspec.ops.call import Call, Input
from archspec.ops.shapes import Shape


class AddCMul(Broadcast):
    """The first value plus the product of two others and a number, `torch.addcmul`: rounded once, so that the last bit
    may differ from that of `mul` and `add`."""

    kind = "addcmul"
    spelled = ("addcmul(input, tensor1, tensor2, value=1)",)
    arity = (3, 3)
    adds = True
    shown = ("value",)
    numbers = frozenset({"value"})
    verb: ClassVar[str] = "combine"

    value: float = Field(1, description="factor of the product")

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        return {"value": given["value"]}

    def function(self, *inputs: Shape) -> Call:
        given = {} if self.value == 1 else {"value": self.value}
        return Call("torch.addcmul", tuple(map(Input, range(3))), given)
