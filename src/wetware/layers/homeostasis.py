"""Homeostasis: thresholds that are moved until every neuron fires as often as it should. Kept as it was, with its failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from wetware.config import Config, number
from wetware.neurons import NeuronParams
from wetware.parameters import constant, filled
from wetware.plasticity import Between, Rule, Ruled

LOWEST = 0.05  # membrane units: a threshold at or below 0 would fire at rest
TOLD = 25  # steps between two events


@dataclass(frozen=True, kw_only=True)
class Homeostasis(Config):
    """Deprecated. A threshold of its own for each neuron, moved between steps and outside of the gradient::

        r_i     <- memory * r_i + (1 - memory) * (firing rate in the batch)         r starts at ``rate``
        shift_i <- shift_i + step * (r_i - rate)
        threshold_i = max(threshold_i + shift_i, 0.05)

    step: membrane units a step (1e-3 to 1e-2 are usual). until: how many optimizer steps it lasts; None for all of training.
    After Diehl and Cook (2015), whose threshold rises with each spike; Real Sam's third version.

    What is wrong with it, for good: the thresholds chase the weights, since the gradient moves a neuron's drive and knows
    nothing of the rule that answers; neurons that should differ are made to fire equally often, which takes away what their
    rates could tell; and what inference sees are the thresholds at which a run happened to stop. A loss on the rate
    (:class:`~wetware.models.FiringTarget`) does what it was for, through the gradient. With ``until`` it is something else, an
    initialiser that lets neurons fire from the start and is frozen then (compare Rossbroich, Gygax and Zenke, 2022).
    """

    neutral: ClassVar[bool] = True

    rate: float = number(0.10, 0.0, 1.0)
    step: float = number(0.01, 0.0, 1.0)
    memory: float = number(0.9, 0.0, 1.0, open_ends=True)
    until: int | None = number(None, 1)

    def build(self, *, size: int) -> HomeostaticThresholds:
        return HomeostaticThresholds(self, size)


class Fired(NamedTuple):
    """How often each neuron fired in a chunk, [N]."""

    rates: Tensor


class HomeostaticThresholds(nn.Module, Ruled):
    """See :class:`Homeostasis`. shift: of each threshold. rates: the running means."""

    shift: Tensor
    rates: Tensor

    def __init__(self, config: Homeostasis, size: int) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("shift", constant(size, draw=filled(0.0)))
        self.register_buffer("rates", constant(size, draw=filled(config.rate)))

    def forward(self, params: NeuronParams) -> NeuronParams:
        return params._replace(threshold=(params.threshold + self.shift).clamp_min(LOWEST))

    def rule(self) -> Rule:
        return HomeostaticRule(self)


class HomeostaticRule(Rule):
    """Follows a :class:`Homeostasis`. Its events tell the spread of shifts and of rates."""

    def __init__(self, thresholds: HomeostaticThresholds) -> None:
        self.thresholds = thresholds

    @torch.no_grad()
    def apply(self, between: Between) -> list[dict[str, Any]]:
        own, config = self.thresholds, self.thresholds.config
        if not between.evidence or (config.until is not None and between.step > config.until):
            return []
        told = torch.stack([share * evidence.rates.to(own.rates.dtype) for share, evidence in between.evidence]).sum(0)
        told = between.together(torch.cat([told, torch.ones_like(told[:1])]))
        rates = told[:-1] / told[-1]
        own.rates.lerp_(rates, 1.0 - config.memory)
        own.shift.add_(config.step * (own.rates - config.rate))
        if between.step % TOLD and between.step != config.until:
            return []
        figures = {"shift": own.shift.mean(), "shift_spread": own.shift.std(correction=0)}
        figures |= {"rate": rates.mean(), "rate_spread": rates.std(correction=0)}
        what = "frozen" if between.step == config.until else "moved"
        return [{"what": what, **{name: round(float(value), 5) for name, value in figures.items()}}]
