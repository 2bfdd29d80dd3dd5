"""Input dependence: how much is written and how long it lasts, asked of each token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from wetware.config import Config
from wetware.parameters import normal, parameter

SCALE = 0.1  # of what the projections give at the start: nearly the constants of the heads


@dataclass(frozen=True, kw_only=True)
class InputDependence(Config):
    """Write strength and decay of each head follow the token (Gu and Dao, Mamba, 2023; Yang et al., Gated DeltaNet, 2024)::

        logit beta0_t = logit beta0 + w x_t,   log g_t = log g * 2 sigmoid(u x_t)

    Without it both are constants of the head, which is its control.
    """

    neutral: ClassVar[bool] = True

    def build(self, *, width: int, heads: int) -> Demand:
        return Demand(width, heads)


class Demand(nn.Module):
    """See :class:`InputDependence`."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.write, self.decay = (parameter(heads, width, draw=normal(SCALE * width**-0.5)) for _ in range(2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """From vectors [B, T, width] to what is added to the logit of the write and what the logarithm of the decay is
        multiplied with, both [B, T, H]."""
        return functional.linear(x, self.write), 2.0 * torch.sigmoid(functional.linear(x, self.decay))
