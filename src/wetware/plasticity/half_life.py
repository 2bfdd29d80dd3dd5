"""Half lives that are learned: one for each head, in tokens, kept as logarithms."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from wetware.kernels import leaky_scan
from wetware.parameters import NEURON, Draw, filled, log_spaced_decays, parameter, through

LN2 = math.log(2.0)


def half_life(heads: int, tokens: float) -> nn.Parameter:
    """The logarithm of a half life for each head, all equal at first."""
    return parameter(heads, draw=filled(math.log(tokens)), role=NEURON)


def spread_half_lives(heads: int, shortest: float, longest: float) -> nn.Parameter:
    """The logarithm of a half life for each head, spread evenly between two numbers of tokens."""
    return parameter(heads, draw=_spread(shortest, longest), role=NEURON)


def _spread(shortest: float, longest: float) -> Draw:
    return through(_of_decay, log_spaced_decays(shortest, longest))


def _of_decay(decay: Tensor) -> Tensor:
    return -torch.log(-torch.log(decay))


def log_share(half_life: Tensor) -> Tensor:
    """The logarithm of what a token keeps, from the logarithm of a half life."""
    return -LN2 * torch.exp(-half_life)


def share(half_life: Tensor, keep: Tensor) -> Tensor:
    """What each token keeps, [B, T, H]: nothing where ``keep`` [B, T] is 0."""
    return torch.exp(log_share(half_life)) * keep[..., None]


def running_means(values: Tensor, half_life: Tensor, state: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
    """Exponentially weighted means of ``values`` [B, T, H, N] over the tokens of the document so far, this one included; the
    weight of what was never read is taken out. half_life: [H]. state: sums of the weights and of the values, [B, H, 1 + N].
    """
    new = -torch.expm1(log_share(half_life))
    drive = new[:, None] * torch.cat([torch.ones_like(values[..., :1]), values], -1)
    sums = leaky_scan(drive, share(half_life, keep), state)
    return sums[..., 1:] / sums[..., :1], sums[:, -1]
