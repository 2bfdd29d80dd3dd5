"""Frequency penalty: the least that could do what vesicle release does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from wetware.config import number
from wetware.kernels.attention.reference import visible
from wetware.synapses.kinetics import FREE, POSITIVE, SHARE, Rates
from wetware.synapses.synapse import Release, Transmission


@dataclass(frozen=True, kw_only=True)
class FrequencyPenalty(Release):
    """A key counts less the more it was asked lately, and nothing else::

        n_j <- decay (n_j + sigmoid(d_tj - threshold)),   d_tj <- d_tj - lambda log(1 + gain n_j)   (n before this query)

    The control that vesicle release has to beat: one decaying trace for eleven numbers. ``halving``: tokens until half of
    the trace is gone. All four numbers are learned for each head, lambda from ``strength`` on (0 changes nothing).
    """

    neutral: ClassVar[bool] = True

    threshold: float = number(3.5, -100.0, 100.0)
    halving: float = number(15.0, 0.1, 100_000.0)
    gain: float = number(1.0, 0.0, 1000.0, open_ends=True)
    strength: float = number(0.0, -10.0, 10.0)

    def build(self, *, heads: int, layer: int) -> Penalty:
        return Penalty(self, heads)


class Penalty(Transmission):
    """See :class:`FrequencyPenalty`. State: n of each (head, key), [B, H, 1, K]."""

    def __init__(self, config: FrequencyPenalty, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.rates = Rates(
            heads,
            theta=(config.threshold, FREE),
            decay=(0.5 ** (1 / config.halving), SHARE),
            gain=(config.gain, POSITIVE),
            lam=(config.strength, FREE),
        )

    def init_state(self, batch: int) -> Tensor:
        return self.rates.bare("theta").new_zeros(batch, self.heads, 1, 0)

    def forward(self, scores: Tensor, state: Tensor, first: Tensor, time: int, tokens: Tensor) -> tuple[Tensor, Tensor]:
        rates = {name: rate[:, None, None] for name, rate in self.rates().items()}
        queries, keys = scores.shape[2:]
        seen = visible(first, keys)[:, None]
        influx = torch.sigmoid(scores - rates["theta"]).masked_fill(~seen, 0.0)
        carried = torch.cat([state[:, :, 0], state.new_zeros(*state.shape[:2], queries)], -1)[:, :, None]
        place = torch.arange(queries, device=scores.device)
        ago = place[:, None] - place  # an influx that came n queries ago has decayed n times
        weights = torch.where(ago > 0, rates["decay"] ** ago.clamp_min(1), 0.0)  # [H, Q, Q]
        trace = weights @ influx + rates["decay"] ** place[:, None] * carried  # before each query
        left = rates["decay"] * (trace[:, :, -1:] + influx[:, :, -1:])
        left = left.masked_fill(~seen[:, :, -1:], 0.0)  # nobody will ask these keys again
        scores = scores - rates["lam"] * torch.log1p(rates["gain"] * trace)
        return scores.masked_fill(~seen, -torch.inf), left
