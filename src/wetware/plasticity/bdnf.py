"""BDNF: a head that has written much of late writes more."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from wetware.config import Config, number
from wetware.parameters import NEURON, filled, parameter
from wetware.plasticity.half_life import half_life, running_means


@dataclass(frozen=True, kw_only=True)
class BDNF(Config):
    """Metaplasticity by a growth factor that writing releases::

        BDNF_t = (mean of |write| over a short past) / (mean over a long past)
        beta_t <- beta_t (1 + gain BDNF_t) / (1 + beta_t gain BDNF_t)

    Both means run over the tokens of the document so far, this one included, so that BDNF is 1 where writes are as usual,
    whatever their scale. For small beta the last line is ``beta_t (1 + gain BDNF_t)``; beta_t stays below 1. After the part
    that BDNF has in lasting potentiation (Korte et al., 1995); the form is ours.

    gain: at the start. short, long: half lives of the two means at the start, in tokens. All are learned for each head.
    """

    neutral: ClassVar[bool] = True

    gain: float = number(1.0, 0.0, 100.0, open_ends=True)
    short: float = number(8.0, 0.05, 1e5)
    long: float = number(64.0, 0.05, 1e5)

    def build(self, *, heads: int) -> GrowthFactor:
        return GrowthFactor(self, heads)


class GrowthFactor(nn.Module):
    """See :class:`BDNF`."""

    def __init__(self, config: BDNF, heads: int) -> None:
        super().__init__()
        self.gain = parameter(heads, draw=filled(math.log(config.gain)), role=NEURON)
        self.short, self.long = half_life(heads, config.short), half_life(heads, config.long)

    def init_state(self, batch: int) -> Tensor:
        """Sums of weights and of |write|, short then long, [B, 2 H, 2]."""
        return self.gain.new_zeros(batch, 2 * len(self.gain), 2)

    def level(self, written: Tensor, state: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
        """BDNF [B, T, H] from the size of each write [B, T, H], and the sums after the last token."""
        both, half_lives = torch.cat([written, written], 2), torch.cat([self.short, self.long])
        means, state = running_means(both[..., None], half_lives, state, keep)
        short, long = means.squeeze(-1).chunk(2, -1)
        return short / (long + 1e-12), state

    def forward(self, write: Tensor, length: Tensor, state: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
        """write: beta [B, T, H]. length: that of the value. beta as BDNF leaves it, and the state."""
        level, state = self.level(write * length, state, keep)
        more = write * self.gain.exp() * level
        return (write + more) / (1 + more), state
