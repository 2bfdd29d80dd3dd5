"""Frequency penalty: the least that could do what vesicle release does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from wetware.config import number
from wetware.kernels.attention.reference import visible
from wetware.synapses.kinetics import FREE, POSITIVE, SHARE, Rates
from wetware.synapses.synapse import Release, Transmission

BLOCK = 32  # queries whose traces are one product


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
        carried = torch.cat([state[:, :, 0], state.new_zeros(*state.shape[:2], queries)], -1)
        trace = decayed(influx, rates["decay"], carried)
        left = rates["decay"] * (trace[:, :, -1:] + influx[:, :, -1:])
        left = left.masked_fill(~seen[:, :, -1:], 0.0)  # nobody will ask these keys again
        scores = scores - rates["lam"] * torch.log1p(rates["gain"] * trace)
        return scores.masked_fill(~seen, -torch.inf), left


def decayed(influx: Tensor, decay: Tensor, carried: Tensor) -> Tensor:
    """``n_t = decay (n_{t-1} + influx_{t-1})`` before each query, [B, H, Q, K]; ``carried`` [B, H, K] before the first. decay:
    [H, 1, 1].

    In blocks of queries: a product of triangular matrices within each, then one over what the blocks leave.
    """
    batch, heads, queries, keys = influx.shape
    size = min(queries, BLOCK)
    count = -(-queries // size)
    blocks = functional.pad(influx, (0, 0, 0, count * size - queries)).view(batch, heads, count, size, keys)
    within = _powers(decay, size + 1, size)[:, None] @ blocks  # its last row is what the block leaves
    # what comes into the first block, and what each leaves, as seen at the start of each
    left = torch.cat([carried[:, :, None], within[:, :, :-1, -1]], 2)
    starts = _powers(decay**size, count, count, past=0) @ left
    number = torch.arange(size, device=influx.device)[:, None]
    trace = within[..., :-1, :] + (decay**number)[:, None] * starts[..., None, :]
    return trace.view(batch, heads, count * size, keys)[:, :, :queries]


def _powers(decay: Tensor, rows: int, columns: int, past: int = 1) -> Tensor:
    """``decay^(i - j)`` where i - j is ``past`` or more, else 0, [H, rows, columns]."""
    place = torch.arange(max(rows, columns), device=decay.device)
    ago = place[:rows, None] - place[:columns]
    return torch.where(ago >= past, decay ** ago.clamp_min(past), 0.0)
