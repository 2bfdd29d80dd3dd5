"""Eligibility: a synapse that was active a moment ago is still open to a write."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from wetware.config import Config, number
from wetware.kernels import leaky_scan
from wetware.parameters import NEURON, filled, parameter
from wetware.plasticity.directions import unit
from wetware.plasticity.half_life import half_life, share


@dataclass(frozen=True, kw_only=True)
class Eligibility(Config):
    """A presynaptic trace: the key that is written is the unit vector along a mix of this token's key with those before it::

        e_t = rho e_{t-1} + k_t,   written_t = unit((1 - mix) k_t + mix e_t)

    so that a value is also found by what came shortly before its key. A write stays of rank one. Traces that wait for a value
    are those of synaptic tagging (Frey and Morris, 1997) and of reinforcement learning; e is forgotten where a document
    starts.

    half_life: of e at the start, in tokens; learned for each head. mix: at the start, learned for each head.
    """

    neutral: ClassVar[bool] = True

    half_life: float = number(1.0, 0.05, 1e4)
    mix: float = number(0.2, 0.0, 1.0, open_ends=True)

    def build(self, *, heads: int, size: int) -> Trace:
        return Trace(self, heads, size)


class Trace(nn.Module):
    """See :class:`Eligibility`."""

    def __init__(self, config: Eligibility, heads: int, size: int) -> None:
        super().__init__()
        self.shape = (heads, size)
        self.half_life = half_life(heads, config.half_life)
        self.mix = parameter(heads, draw=filled(math.log(config.mix / (1 - config.mix))), role=NEURON)

    def init_state(self, batch: int) -> Tensor:
        return self.mix.new_zeros(batch, *self.shape)

    def forward(self, key: Tensor, state: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
        """Keys of length 1 [B, T, H, D] to those that are written, and e after the last token."""
        trace = leaky_scan(key, share(self.half_life, keep), state)
        ratio = self.mix.exp()  # of mix to 1 - mix: the direction is all that counts
        return unit(torch.addcmul(key, trace, ratio[:, None])), trace[:, -1]
