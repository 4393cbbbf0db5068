"""Dropout that keeps mean and variance."""

from archspec.ops.call import TRAINING, Call
from archspec.ops.dropout import Dropout
from archspec.ops.shapes import Shape


class AlphaDropout(Dropout):
    """Sets activations to SELU's limit at random in training and keeps their mean and variance, `nn.AlphaDropout`
    (Klambauer et al., https://arxiv.org/abs/1706.02515)."""

    kind = "alpha_dropout"
    spelled = ("alpha_dropout(input, p=0.5, training=True, inplace=False)",)
    module = "nn.AlphaDropout"

    def function(self, *inputs: Shape) -> Call:
        return Call("F.alpha_dropout", kwargs={"p": self.p, "training": TRAINING})
