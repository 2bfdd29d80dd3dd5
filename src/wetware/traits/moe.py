"""Mixture of experts: small networks of which each token uses a few."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from wetware.config import ConfigError, number
from wetware.kernels import rms_norm
from wetware.layers import Linear
from wetware.layers.dispatch import LoadBalance, dispatched, imbalance
from wetware.operations import Counted, Operation, Workload
from wetware.parameters import NEURON, filled, parameter
from wetware.traits.trait import Context, Passed, Place, Trait, TraitConfig


@dataclass(frozen=True, kw_only=True)
class MixtureOfExperts(TraitConfig):
    """Routed experts and one that serves every token, on the vector z that is read, never inside the neurons::

        y = rms_norm(z),   s_e = sqrt(softplus(w_e y)),   g_e = s_e / sum of s over the top_k largest, 0 for the rest
        z <- z + tanh(a) (shared(y) + sum_e g_e expert_e(y)),   a = 0 at first
        expert(y) = W_3 (silu(W_1 y) * W_2 y)              SwiGLU (Shazeer, 2020); W_1, W_2: width -> hidden

    A shared expert beside fine routed ones: Dai et al., DeepSeekMoE, 2024. No token is ever dropped. What it is: parameters
    of which each token pays for a few. Its control is ``top_k`` = ``experts``, where nothing is chosen and all is paid for.
    Experts are balanced by a loss only, not by a bias moved between steps.
    """

    neutral: ClassVar[bool] = True

    experts: int = number(6, 1, 1024)
    top_k: int = number(2, 1, 1024)
    hidden: int = number(128, 1, 65536)
    balance: LoadBalance | None = LoadBalance()

    def check(self) -> None:
        if self.top_k > self.experts:
            raise ConfigError(f"MixtureOfExperts.top_k = {self.top_k}: allowed 1 to experts = {self.experts}")

    def build(self, place: Place) -> Mixture:
        return Mixture(self, place)


class Expert(nn.Module):
    """SwiGLU, width -> hidden -> width."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc_gate, self.fc_up = Linear(width, hidden), Linear(width, hidden)
        self.fc_down = Linear(hidden, width)

    def operations(self, share: float) -> Iterator[Operation]:
        """Of a token, when ``share`` of all tokens come here."""
        for name in ("fc_gate", "fc_up", "fc_down"):
            weight = getattr(self, name).weight
            yield Operation(name, share * weight.shape[1], weight.shape[0], weights=(weight,))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc_down(functional.silu(self.fc_gate(x)) * self.fc_up(x))


class Routing(NamedTuple):
    """scores: s / sum s over all experts, [..., experts]. chosen: [..., top_k] of experts. weights: g of the chosen."""

    scores: Tensor
    chosen: Tensor
    weights: Tensor


class Mixture(Trait, Counted):
    """See :class:`MixtureOfExperts`."""

    def __init__(self, config: MixtureOfExperts, place: Place) -> None:
        super().__init__()
        self.config = config
        self.router = Linear(place.width, config.experts)
        self.experts = nn.ModuleList(Expert(place.width, config.hidden) for _ in range(config.experts))
        self.shared = Expert(place.width, config.hidden)
        self.gate = parameter(1, draw=filled(0.0), role=NEURON)

    def operations(self, work: Workload) -> Iterator[Operation]:
        """Of the routed experts, what a mean token computes."""
        outputs, inputs = self.router.weight.shape
        yield Operation("router", inputs, outputs, weights=(self.router.weight,))
        for path, module in self.named_modules():
            if isinstance(module, Expert):
                share = 1.0 if module is self.shared else self.config.top_k / self.config.experts
                for operation in module.operations(share):
                    yield operation._replace(name=f"{path}.{operation.name}")

    def route(self, x: Tensor) -> Routing:
        """Of normed vectors [..., width]."""
        scores = functional.softplus(self.router(x).float()).sqrt()
        best, chosen = scores.topk(self.config.top_k, -1)
        return Routing(scores / scores.sum(-1, keepdim=True), chosen, best / best.sum(-1, keepdim=True))

    def forward(self, hidden: Tensor, state: Any, context: Context) -> Passed:
        x = rms_norm(hidden).flatten(0, -2)
        routing = self.route(x)
        mixed = (self.shared(x) + self.routed(x, routing)).view(hidden.shape)
        passed = Passed(hidden + (torch.tanh(self.gate) * mixed).to(hidden.dtype))
        if self.config.balance is None or not passed.hidden.requires_grad:
            return passed
        loss = imbalance(routing.scores, routing.chosen, self.config.experts)
        return passed._replace(losses={"balance": self.config.balance.weight * loss})

    def routed(self, x: Tensor, routing: Routing) -> Tensor:
        """``sum_e g_e expert_e(x)`` for vectors [R, width]."""
        made = dispatched(x, routing.chosen, self.config.experts, lambda expert, rows: self.experts[expert](rows))
        return (made * routing.weights.unsqueeze(-1)).sum(-2)

    def trace(self, hidden: Tensor, state: Any, context: Context) -> Mapping[str, Tensor]:
        """experts: [B, T, experts], g of each; its mean over tokens is how much each is used."""
        routing = self.route(rms_norm(hidden))
        return {"experts": torch.zeros_like(routing.scores).scatter(-1, routing.chosen, routing.weights)}
