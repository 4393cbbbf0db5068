"""Linear layers that torch does not have. As with `helpers`, the source target copies what a network needs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PartlyBiasedLinear(nn.Linear):
    """A linear layer that adds no bias to some of its features, whatever the bias holds for them."""

    def __init__(self, in_features: int, out_features: int, zero_bias: tuple[int, int]) -> None:
        super().__init__(in_features, out_features)
        self.zero_bias = zero_bias

    def forward(self, x: Tensor) -> Tensor:
        start, stop = self.zero_bias
        bias = torch.cat([self.bias[:start], self.bias.new_zeros(stop - start), self.bias[stop:]])
        return F.linear(x, self.weight, bias)


class TransposedLinear(nn.Linear):
    """A linear layer whose weight is in_features × out_features."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias)
        self.weight = nn.Parameter(self.weight.detach().T.contiguous())

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.T, self.bias)
