"""Dropout of activations."""

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import TRAINING, Call
from archspec.ops.fields import Probability
from archspec.ops.shapes import Shape


class Dropout(Op):
    """Zeroes activations at random in training, `nn.Dropout` (Srivastava et al., JMLR 15, 2014)."""

    kind = "dropout"
    spelled = ("dropout(input, p=0.5, training=True, inplace=False)",)
    module = "nn.Dropout"
    elementwise = True
    view = True
    idle = True
    role = "dropout"
    shown = ("p",)
    numbers = frozenset({"p"})

    p: Probability = Field(0.5, description="share of activations that are zeroed")

    def function(self, *inputs: Shape) -> Call:
        return Call("F.dropout", kwargs={"p": self.p, "training": TRAINING})
