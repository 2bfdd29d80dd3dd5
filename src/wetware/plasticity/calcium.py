"""Calcium: how unusual the activity of a head is, judged by its own past."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wetware.plasticity.half_life import half_life, running_means

FLOOR = 0.02  # least deviation, as a share of the mean: a head that always does the same is never surprised


class Calcium(nn.Module):
    """``z_t = (n_t - mean_t) / deviation_t`` of a positive signal n, mean and deviation being running ones over the tokens of
    the document so far, this one included. Exponentially weighted, with the weights of what was never read taken out; the half
    life is learned for each head. z is 0 at the first token, free of the signal's scale, and no batch mate is in it.
    """

    def __init__(self, heads: int, window: float) -> None:
        super().__init__()
        self.window = half_life(heads, window)

    def init_state(self, batch: int) -> Tensor:
        """Sums of weights, n and n^2, [B, H, 3]."""
        return self.window.new_zeros(batch, len(self.window), 3)

    def forward(self, signal: Tensor, state: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
        """signal: n [B, T, H]. keep: [B, T], 0 where a document starts. z [B, T, H] and the sums after the last token."""
        powers = torch.stack([signal, signal.square()], -1)
        means, state = running_means(powers, self.window, state, keep)
        mean, second = means.unbind(-1)
        variance = (second - mean.square()).clamp_min(0.0)
        return (signal - mean) / torch.sqrt(variance + (FLOOR * mean).square() + 1e-12), state
