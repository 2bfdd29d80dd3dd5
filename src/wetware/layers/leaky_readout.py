"""A readout that remembers: the leaky integrator that never fires."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wetware.config import Config, number
from wetware.neurons.integrator import integrated
from wetware.parameters import NEURON, filled, parameter, through


@dataclass(frozen=True, kw_only=True)
class LeakyReadout(Config):
    """``r_t = rho * r_{t-1} + (1 - rho) * x_t``, rho learned for each channel from ``start`` on.

    The usual readout of a spiking network is a leaky integrator that does not spike (Neftci, Mostafa and Zenke, 2019). What is
    read here passes a linear map before the leak instead of after it: as the map is linear, one rho for all would commute.
    """

    start: float = number(0.1, 0.0, 1.0, open_ends=True)

    def build(self, *, size: int) -> LeakyIntegrator:
        return LeakyIntegrator(self, size)


class LeakyIntegrator(nn.Module):
    """See :class:`LeakyReadout`. [B, T, N] -> the same; state [B, N]."""

    def __init__(self, config: LeakyReadout, size: int) -> None:
        super().__init__()
        self.logit = parameter(size, draw=through(torch.logit, filled(config.start)), role=NEURON)

    def init_state(self, batch: int) -> Tensor:
        return self.logit.new_zeros(batch, len(self.logit), dtype=self._wide)

    @property
    def _wide(self) -> torch.dtype:
        """What is added up: in float32 at least."""
        return torch.promote_types(self.logit.dtype, torch.float32)

    def forward(self, x: Tensor, state: Tensor, keep: Tensor | None) -> tuple[Tensor, Tensor]:
        wide = self._wide
        rho = torch.sigmoid(self.logit.to(wide))
        read, after = integrated(x.to(wide), state, rho, 1.0 - rho, None if keep is None else keep.to(wide))
        return read.to(x.dtype), after
