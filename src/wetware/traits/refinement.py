"""Iterative refinement: the vector that is read, improved in a few steps by one small network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from wetware.config import Config, number
from wetware.kernels import rms_norm
from wetware.layers import Linear
from wetware.operations import Counted, Operation, Workload
from wetware.parameters import NEURON, filled, parameter
from wetware.traits.trait import Context, Passed, Place, Trait, TraitConfig, loss_ahead

SMALL = 0.25  # of unit deviation: what a step adds, before its gate


@dataclass(frozen=True, kw_only=True)
class DeepSupervision(Config):
    """The cross-entropy of the vector after each step but the last, times ``weight``: a step is asked for an answer, not only
    for a good start of the next. Each costs one more product with the table of tokens, forward and backward. It is of every
    token, also where the training counts only some."""

    weight: float = number(0.3, 0.0, 10.0)


@dataclass(frozen=True, kw_only=True)
class HierarchicalRefinement(TraitConfig):
    """HRM for a language model, at each position by itself: ``steps`` steps from the vector z that is read (Wang et al.,
    Hierarchical Reasoning Model, 2025)::

        h_0 = z,   h_{k+1} = h_k + tanh(g) U SiLU(D_h rms_norm(h_k) + D_z z)

    D_h, D_z: width -> rank. U: rank -> width. All steps share them and the gate g, which is 0 at first. What it is: the outer
    loop of HRM, refinement with an answer asked at each step; its two time scales and its learned halting are left out. The
    control is ``steps`` = 1, a plain MLP of the same parameters (in which nothing lies between, to be supervised).
    """

    neutral: ClassVar[bool] = True

    steps: int = number(3, 1, 64)
    rank: int = number(128, 1, 65536)
    supervision: DeepSupervision | None = DeepSupervision()

    def build(self, place: Place) -> Refinement:
        return Refinement(self, place)


class Refinement(Trait, Counted):
    """See :class:`HierarchicalRefinement`."""

    def __init__(self, config: HierarchicalRefinement, place: Place) -> None:
        super().__init__()
        self.config = config
        # [D_h D_z] reads two vectors of unit variance
        self.fc_hidden, self.fc_input = (Linear(place.width, config.rank, scale=0.5**0.5) for _ in range(2))
        self.fc_out = Linear(config.rank, place.width, scale=SMALL)
        self.gate = parameter(1, draw=filled(0.0), role=NEURON)

    def operations(self, work: Workload) -> Iterator[Operation]:
        """What z says is multiplied once, the rest at every step."""
        rank, width = self.fc_hidden.weight.shape
        yield Operation("fc_input", width, rank, weights=(self.fc_input.weight,))
        for step in range(self.config.steps):
            yield Operation(f"steps.{step}.fc_hidden", width, rank, weights=(self.fc_hidden.weight,))
            yield Operation(f"steps.{step}.fc_out", rank, width, weights=(self.fc_out.weight,))

    def forward(self, hidden: Tensor, state: Any, context: Context) -> Passed:
        given, gate, between = self.fc_input(hidden), torch.tanh(self.gate), []
        for _ in range(self.config.steps):
            between.append(hidden)
            hidden = hidden + gate * self.fc_out(functional.silu(self.fc_hidden(rms_norm(hidden)) + given))
        if self.config.supervision is None or not hidden.requires_grad or len(between) == 1:
            return Passed(hidden)
        losses = [loss_ahead(context.logits(early[:, :-1]), context, 1) for early in between[1:]]
        return Passed(hidden, losses={"supervision": self.config.supervision.weight * torch.stack(losses).sum()})
