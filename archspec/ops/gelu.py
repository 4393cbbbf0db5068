"""The Gaussian error linear unit."""

from typing import Literal

from pydantic import Field

from archspec.ops.relu import Activation


class GELU(Activation):
    """x × Φ(x), `nn.GELU` (Hendrycks & Gimpel, https://arxiv.org/abs/1606.08415)."""

    kind = "gelu"
    spelled = ("gelu(input, approximate='none')",)
    module = "nn.GELU"
    inplace = False

    approximate: Literal["none", "tanh"] = Field("none", description="tanh: Φ as a formula with tanh, as in GPT-2")
