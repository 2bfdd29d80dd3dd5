"""The least that a memory of sequences could be: what tends to follow the last token."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from wetware.config import number
from wetware.layers import Linear
from wetware.layers.spike_encoder import DEVIATION
from wetware.operations import Counted, Operation, Workload
from wetware.parameters import EMBEDDING, NEURON, filled, normal, parameter
from wetware.traits.trait import Context, Passed, Place, Trait, TraitConfig


@dataclass(frozen=True, kw_only=True)
class BigramBias(TraitConfig):
    """``y_t = z_t + tanh(a) W U[token_t]``: U [V, rank], W [width, rank], a = 0 at first. As logits are products with the table
    of tokens E, that adds ``tanh(a) E W U[token]`` to them, but for the norm: a bigram model of rank ``rank``.

    The control of :class:`Engram`: what a memory of longer n-grams is worth must be counted from here. Stateless."""

    neutral: ClassVar[bool] = True

    rank: int = number(32, 1)

    def build(self, place: Place) -> LastToken:
        return LastToken(self, place)


class LastToken(Trait, Counted):
    """See :class:`BigramBias`."""

    def __init__(self, config: BigramBias, place: Place) -> None:
        super().__init__()
        self.followers = parameter(place.vocab_size, config.rank, draw=normal(DEVIATION), role=EMBEDDING)
        self.out = Linear(config.rank, place.width)
        self.amount = parameter(1, draw=filled(0.0), role=NEURON)

    def operations(self, work: Workload) -> Iterator[Operation]:
        """Rows are looked up: nothing is computed for that."""
        size, rank = self.out.weight.shape
        yield Operation("followers", 0, rank, weights=(self.followers,))
        yield Operation("out", rank, size, weights=(self.out.weight,))

    def forward(self, hidden: Tensor, state: Any, context: Context) -> Passed:
        return Passed(
            hidden
            + torch.tanh(self.amount) * self.out(functional.embedding(context.tokens, self.followers) / DEVIATION)
        )
