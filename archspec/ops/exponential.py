"""The exponential and its inverse, and the base class of functions of single numbers."""

from archspec.ops.base import Op
from archspec.ops.call import Call
from archspec.ops.shapes import Shape


class Function(Op):
    """Base class of functions of torch that have no arguments."""

    elementwise = True
    role = "activation"

    def function(self, *inputs: Shape) -> Call:
        return Call(f"torch.{self.kind}")


class Exp(Function):
    """e to the power of x, `torch.exp`."""

    kind = "exp"
    spelled = ("exp(input)",)


class Log(Function):
    """The natural logarithm of x, `torch.log`."""

    kind = "log"
    spelled = ("log(input)",)
    fresh = True
