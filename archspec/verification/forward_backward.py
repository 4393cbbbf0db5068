"""One pass through a module: in evaluation, or in training with its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from archspec.verification.differences import Outputs, flatten_outputs


class Trained(NamedTuple):
    """The results of a training pass: outputs, and the gradients of the input and of the parameters."""

    outputs: Outputs
    of_input: Tensor | None
    of_parameters: tuple[Tensor | None, ...]


def evaluate(module: nn.Module, x: Tensor) -> Outputs:
    """The outputs in evaluation, without gradients."""
    with torch.no_grad():
        return flatten_outputs(module.eval()(x.clone()))


def train(module: nn.Module, x: Tensor, parameters: Sequence[str], seed: int) -> Trained:
    """Outputs and gradients of a training pass; `seed` determines dropout and the loss.

    The loss is a random combination of all numbers in all outputs, so that each of them matters. No parameter's `.grad`
    is changed; frozen parameters require gradients from here on.
    """
    state = module.state_dict(keep_vars=True)
    chosen = [state[name].requires_grad_() for name in parameters]
    given = x.clone().requires_grad_(x.is_floating_point())  # token ids have no gradient
    torch.manual_seed(seed)
    outputs = flatten_outputs(module.train()(given.clone()))  # a copy, since a first layer may work in place
    loss = _loss(outputs, seed)
    detached = [(place, value.detach() if isinstance(value, Tensor) else value) for place, value in outputs]
    if loss is None:
        return Trained(detached, None, (None,) * len(chosen))
    if not given.requires_grad:
        return Trained(detached, None, torch.autograd.grad(loss, chosen, allow_unused=True))
    of_input, *others = torch.autograd.grad(loss, [given, *chosen], allow_unused=True)
    return Trained(detached, of_input, tuple(others))


def run_once(module: nn.Module, x: Tensor, training: bool, seed: int) -> Any:
    """Repeat the forward pass, without gradients, so that hooks can observe it."""
    torch.manual_seed(seed)
    with torch.no_grad():
        return module.train(training)(x.clone())


def _loss(outputs: Outputs, seed: int) -> Tensor | None:
    generator = torch.Generator().manual_seed(seed)
    terms = []
    for _, value in outputs:
        if isinstance(value, Tensor) and value.is_floating_point():
            factors = torch.randn(value.shape, generator=generator, dtype=value.dtype).to(value.device)
            terms.append((value * factors).sum())
    loss = torch.stack(terms).sum() if terms else None
    return loss if loss is not None and loss.requires_grad else None
