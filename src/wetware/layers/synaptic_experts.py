"""Synaptic experts: small networks beside the MLP that tire, and whose number is not fixed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Generator, Tensor

from wetware.config import ConfigError, number
from wetware.kernels import Choice
from wetware.layers import synaptic_experts_token
from wetware.layers.dispatch import LoadBalance, dispatched, imbalance
from wetware.layers.experts import Answered, Experts, ExpertsConfig
from wetware.layers.fatigue import Fatigue, Kinetics, decoded, leaky
from wetware.layers.lifecycle import Evidence, Lifecycle, Succession
from wetware.layers.routing import DotRouting, RouterInhibition, Routing
from wetware.layers.succession import Stock
from wetware.operations import Counted, Operation, Workload
from wetware.parameters import NEURON, constant, filled, normal, parameter
from wetware.plasticity import Rule, Ruled
from wetware.state import State


@dataclass(frozen=True, kw_only=True)
class SynapticExperts(ExpertsConfig):
    """Experts of which each token uses ``top_k``, added to the MLP that every token uses. For the living experts e::

        z_e   = selectivity_e score_e(x) - strength_e u_e              u: fatigue
        chosen = the top_k largest z
        w     = softmax of z + c over the chosen                       c_e: logarithm of the share of a split expert, 0 at first
        y     = tanh(a) sum_e w_e gain_e D_e relu(U_e x)^2             a = 0 at first

    So with ``top_k`` = 1 an expert is switched, not weighed, and w has no derivative by z. Going back, w is therefore
    multiplied by ``s / s``, s the probability of all that was chosen, the lower s held constant: the derivative of log s
    times what the chosen were worth, to first order. That is the score-function gradient (Williams, 1992) with that worth
    as its reward.

    experts: alive at first. most: slots; an empty one costs memory but no time. hidden: neurons of an expert, None for as many
    as the width: then one expert costs a quarter of an MLP of expansion 4. Each expert has four genes that set how fast and
    how much it tires, how sharply it is chosen and how loud it is (:class:`wetware.layers.fatigue.Kinetics`).
    """

    neutral: ClassVar[bool] = True

    experts: int = number(4, 1, 1024)
    most: int = number(8, 1, 1024)
    top_k: int = number(1, 1, 1024)
    hidden: int | None = number(None, 1, 65536)
    routing: Routing = DotRouting()
    fatigue: Fatigue | None = Fatigue()
    inhibition: RouterInhibition | None = RouterInhibition()
    balance: LoadBalance | None = LoadBalance()
    lifecycle: Lifecycle | None = Lifecycle()

    def check(self) -> None:
        for name in ("experts", "top_k"):
            if (value := getattr(self, name)) > self.most:
                raise ConfigError(f"SynapticExperts.{name} = {value}: allowed 1 to most = {self.most}")

    def build(self, *, width: int, depth: int) -> SynapticExpertsLayer:
        return SynapticExpertsLayer(self, width, depth)


class Routed(NamedTuple):
    """chosen: [R, k] of slots. weights: w of the chosen, [R, k]. probabilities: over the living, [R, slots]."""

    chosen: Tensor
    weights: Tensor
    probabilities: Tensor


class SynapticExpertsLayer(Experts, Counted, Ruled):
    """See :class:`SynapticExperts`. State: what the last token left of each slot's fatigue, [B, slots]; nothing without it."""

    alive: Tensor
    log_share: Tensor

    def __init__(self, config: SynapticExperts, width: int, depth: int) -> None:
        super().__init__()
        self.config, slots, hidden = config, config.most, config.hidden or width
        self.router = config.routing.build(width=width, slots=slots)
        self.genes = parameter(slots, len(Kinetics._fields), draw=normal(0.1), role=NEURON)
        self.up = parameter(slots, hidden, width, draw=normal(width**-0.5))
        self.down = parameter(slots, width, hidden, draw=normal((2 * depth * hidden) ** -0.5))
        self.gate = parameter(1, draw=filled(0.0), role=NEURON)
        self.register_buffer("alive", constant(slots, draw=first(config.experts), dtype=torch.bool))
        self.register_buffer("log_share", constant(slots, draw=filled(0.0)))
        self.lifecycle = config.lifecycle.build(slots=slots, width=width) if config.lifecycle else None

    def operations(self, work: Workload) -> Iterator[Operation]:
        """Of the experts, what a mean token computes."""
        for name, weight in (("up", self.up), ("down", self.down)):
            yield Operation(name, self.config.top_k * weight.shape[2], weight.shape[1], weights=(weight,))
        yield Operation("genes", 1, 2 * len(self.genes), weights=(self.genes,))

    def rule(self) -> Rule | None:
        if self.lifecycle is None:
            return None
        rows = tuple(getattr(self.router, name) for name in self.router.rows)
        stock = Stock((*rows, self.genes, self.up, self.down), (*rows, self.up), self.alive, self.log_share)
        return Succession(stock, self.lifecycle)

    def init_state(self, batch: int) -> State:
        return self.gate.new_zeros(batch, len(self.alive)) if self.config.fatigue else ()

    def forward(self, x: Tensor, state: Any, keep: Tensor) -> Answered:
        return ask(self, x, state, keep)

    def chunk(self, x: Tensor, state: Any, keep: Tensor) -> Answered:
        """``forward`` by the formulas."""
        genes = decoded(self.genes)
        scores, state = self.scores(x, state, keep, genes)
        routed, rows = self.route(scores.flatten(0, 1)), x.flatten(0, 1)
        learning = x.requires_grad
        gain = genes.gain
        if watched := learning and self.lifecycle is not None:
            multipliers = torch.ones_like(gain, requires_grad=True)
            gain = gain * multipliers
        weights = routed.weights * gain[routed.chosen]
        mixed = torch.tanh(self.gate) * (self.outputs(rows, routed.chosen) * weights.unsqueeze(-1)).sum(-2)
        answered = Answered(mixed.view(x.shape).to(x.dtype), state)
        if learning:
            answered = answered._replace(losses=self.losses(routed))
        return answered._replace(evidence=self.told(multipliers, rows, routed)) if watched else answered

    def scores(self, x: Tensor, state: Any, keep: Tensor, genes: Kinetics) -> tuple[Tensor, Any]:
        """z [B, T, slots], at least in float32, -inf for the dead; and the state."""
        scores = self.router(x)
        scores = genes.selectivity * scores.to(torch.promote_types(scores.dtype, torch.float32))
        scores = scores.masked_fill(~self.alive, -torch.inf)
        if self.config.fatigue is None:
            return scores, ()
        # exp(z) over the sum that counts shares: of twins, each is driven as the one was
        drive = (scores - (scores + self.log_share).logsumexp(-1, keepdim=True)).exp()
        decay = torch.exp(-1.0 / (self.config.fatigue.tau * genes.tau))
        tired, left = leaky(drive, state, decay, keep)
        return scores - self.config.fatigue.strength * genes.strength * tired, left.to(state.dtype)

    def route(self, scores: Tensor) -> Routed:
        """Of z [R, slots]."""
        best, chosen = scores.topk(min(self.config.top_k, int(self.alive.sum())), -1)
        weights = (best + self.log_share[chosen]).softmax(-1)
        probabilities = (scores + self.log_share).softmax(-1)
        share = probabilities.gather(-1, chosen).sum(-1, keepdim=True).clamp(min=1e-20)
        return Routed(chosen, weights * (share / share.detach()), probabilities)

    def outputs(self, rows: Tensor, chosen: Tensor) -> Tensor:
        """``D_e relu(U_e x)^2`` of the chosen, [R, k, width]."""
        # taken apart once: going back, the gradients of all slots are put together in one piece
        up, down = self.up.unbind(0), self.down.unbind(0)

        def each(slot: int, part: Tensor) -> Tensor:
            return (part @ up[slot].T).relu().square() @ down[slot].T if len(part) else part

        return dispatched(rows, chosen, len(up), each)

    def losses(self, routed: Routed) -> dict[str, Tensor]:
        config, found = self.config, {}
        if config.balance:
            evenness = imbalance(routed.probabilities, routed.chosen, int(self.alive.sum()))
            found["balance"] = config.balance.weight * evenness
        if config.inhibition:
            found["inhibition"] = config.inhibition.loss(self.router.codes(), self.alive)
        return found

    @torch.no_grad()
    def told(self, multipliers: Tensor, rows: Tensor, routed: Routed) -> Evidence:
        shown = torch.zeros_like(routed.probabilities).scatter_(-1, routed.chosen, 1.0)
        rows = rows.to(shown.dtype)
        return Evidence(multipliers, shown.sum(0), shown.T @ rows, rows.sum(0))


def first(count: int) -> Any:
    """A draw of a bool tensor: True in its first ``count`` places."""
    return partial(_first, count)


def _first(count: int, tensor: Tensor, generator: Generator) -> None:
    tensor.copy_(torch.arange(tensor.numel()) < count)


ask = Choice("synaptic_experts", SynapticExpertsLayer.chunk)
ask.backend("numba", synaptic_experts_token.refuses)(synaptic_experts_token.run)
