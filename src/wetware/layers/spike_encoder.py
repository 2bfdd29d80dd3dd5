"""Token encoders of the spiking models: from a token to what drives the first layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar

import torch
from torch import Tensor, nn

from wetware.config import Config, number
from wetware.layers.linear import Linear
from wetware.layers.norm import Norm, RMSNorm
from wetware.operations import Counted, Operation, Workload
from wetware.parameters import EMBEDDING, normal, parameter

DEVIATION = 0.05


@dataclass(frozen=True, kw_only=True)
class Encoder(Config):
    """A slot for an encoder. Each keeps a ``table`` [V, bits] of token vectors, which the tied readout shares.

    The table starts small, ``N(0, DEVIATION^2)``, because the readout needs it so: an optimizer that moves each entry by a
    fixed amount turns small vectors fast and large ones hardly. The encoder reads it in units of its deviation.
    """

    abstract: ClassVar[bool] = True
    binary: ClassVar[bool] = False  # whether the code is of 0 and 1

    bits: int = number(256, 1)
    norm: Norm = RMSNorm()

    def build(self, *, vocab_size: int, width: int) -> TokenEncoder:
        return TokenEncoder(self, vocab_size, width)

    def code(self, vectors: Tensor) -> Tensor:
        """What a token's vector, of deviation 1 at the start, becomes before it is projected."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class STESpikes(Encoder):
    """A binary code for each token, learned straight through::

        p = sigmoid(e + shift),  s = 1[p > 1/2],  passed on: p + stop(s - p), so that ds/de = p (1 - p)

    ``rate`` is the share of bits that fire at the start; it sets the shift. Bengio, Leonard and Courville, 2013.
    """

    binary: ClassVar[bool] = True

    rate: float = number(0.25, 0.0, 1.0, open_ends=True)

    def code(self, vectors: Tensor) -> Tensor:
        probability = torch.sigmoid(vectors + NormalDist().inv_cdf(self.rate))
        spikes = (probability > 0.5).to(vectors.dtype)
        return probability + (spikes - probability).detach() if vectors.requires_grad else spikes


@dataclass(frozen=True, kw_only=True)
class CurrentEncoder(Encoder):
    """The control of :class:`STESpikes`: the token's vector itself, real-valued, as a current."""

    def code(self, vectors: Tensor) -> Tensor:
        return vectors


class TokenEncoder(nn.Module, Counted):
    """``norm(W code(table[token]))``: [B, T] -> [B, T, width]."""

    def __init__(self, config: Encoder, vocab_size: int, width: int) -> None:
        super().__init__()
        self.config = config
        self.table = parameter(vocab_size, config.bits, draw=normal(DEVIATION), role=EMBEDDING)
        self.project = Linear(config.bits, width)

    def operations(self, work: Workload) -> Iterator[Operation]:
        """A row is looked up, which computes nothing; its code is projected, and only the bits that are 1 when it is binary."""
        width, bits = self.project.weight.shape
        events = None
        if self.config.binary:
            ones = self.config.code(self.table.detach() / DEVIATION).sum(1)
            events = float((ones.double() * work.frequencies.to(ones.device)).sum())
        yield Operation("project", bits, width, events, (self.table, self.project.weight))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.config.norm.of(self.project(self.config.code(self.table[tokens] / DEVIATION)))
