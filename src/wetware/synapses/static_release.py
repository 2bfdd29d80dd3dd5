"""Static release: the control of vesicle release that has no state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from wetware.config import number
from wetware.kernels.attention.reference import visible
from wetware.synapses.kinetics import FREE, POSITIVE, Rates
from wetware.synapses.synapse import Release, Transmission


@dataclass(frozen=True, kw_only=True)
class StaticRelease(Release):
    """A function of the score alone, as the release of a synapse that never changes would be::

        g = sigmoid(d - threshold),   p = g^2 / (g^2 + half^2),   d <- d + lambda log((p + floor) / (1 + floor))

    The control of :class:`VesicleRelease`: what this gains, fatigue did not. All four numbers are learned for each head, lambda
    from ``strength`` on (0 changes nothing).
    """

    neutral: ClassVar[bool] = True

    threshold: float = number(3.5, -100.0, 100.0)
    half: float = number(0.8, 0.0, 100.0, open_ends=True)
    strength: float = number(0.0, -10.0, 10.0)
    floor: float = number(0.1, 0.0, 10.0, open_ends=True)

    def build(self, *, heads: int, layer: int) -> FixedRelease:
        return FixedRelease(self, heads)


class FixedRelease(Transmission):
    """See :class:`StaticRelease`."""

    def __init__(self, config: StaticRelease, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.rates = Rates(
            heads,
            theta=(config.threshold, FREE),
            middle=(config.half, POSITIVE),
            lam=(config.strength, FREE),
            floor=(config.floor, POSITIVE),
        )

    def init_state(self, batch: int) -> Tensor:
        return self.rates.bare("theta").new_zeros(batch, self.heads, 0, 0)

    def forward(self, scores: Tensor, state: Tensor, first: Tensor, time: int, tokens: Tensor) -> tuple[Tensor, Tensor]:
        rates = {name: rate[:, None, None] for name, rate in self.rates().items()}
        influx = torch.sigmoid(scores - rates["theta"]).square()
        released = influx / (influx + rates["middle"].square())
        scores = scores + rates["lam"] * (torch.log(released + rates["floor"]) - torch.log1p(rates["floor"]))
        keys = scores.shape[-1]
        return scores.masked_fill(~visible(first, keys)[:, None], -torch.inf), state.new_zeros(*state.shape[:3], keys)
