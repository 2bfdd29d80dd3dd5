"""Optimizers: which rule and which rate for which kind of parameter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from wetware.config import Config, number
from wetware.parameters import EMBEDDING, MATRIX, NEURON, role


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig(Config):
    """A slot for an optimizer."""

    abstract: ClassVar[bool] = True

    def build(self, model: nn.Module) -> Optimizers:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class AdamW(OptimizerConfig):
    """AdamW (Loshchilov and Hutter, 2019) with a rate for each role of parameter.

    matrix: weights between layers. embedding: token vectors. neuron: decays, thresholds, gains and gates, which live on
    other scales than weights: they get their own rate and no decay.
    """

    matrix: float = number(4e-3, 0.0, 10.0)
    embedding: float = number(1.2e-2, 0.0, 10.0)
    neuron: float = number(1e-2, 0.0, 10.0)
    weight_decay: float = number(0.1, 0.0, 10.0)
    beta1: float = number(0.9, 0.0, 0.9999)
    beta2: float = number(0.98, 0.0, 0.99999)

    def build(self, model: nn.Module) -> Optimizers:
        return Optimizers(model, [torch.optim.AdamW(self.groups(model, (MATRIX, EMBEDDING, NEURON)), **self.options())])

    def options(self) -> dict[str, Any]:
        return {"betas": (self.beta1, self.beta2), "eps": 1e-8, "fused": True}

    def groups(self, model: nn.Module, roles: tuple[str, ...]) -> list[dict[str, Any]]:
        rates = {MATRIX: self.matrix, EMBEDDING: self.embedding, NEURON: self.neuron}
        found = {name: [p for p in model.parameters() if role(p) == name] for name in roles}
        decays = {MATRIX: self.weight_decay, EMBEDDING: 0.0, NEURON: 0.0}
        return [
            {"params": found[name], "lr": rates[name], "base": rates[name], "weight_decay": decays[name]}
            for name in roles
            if found[name]
        ]


@dataclass(frozen=True, kw_only=True)
class MuonAdamW(AdamW):
    """Muon (Jordan et al., 2024) for the matrices, AdamW for the rest.

    Orthogonalising a matrix of side n costs about 30 n^3 operations a step, whatever the batch: on a CPU, at a few thousand
    tokens a step, that outweighs the model (measured: docs/experiments.md), so AdamW is the default. Muon's rate is on
    another scale than AdamW's: 0.02 is usual.
    """

    matrix: float = number(0.02, 0.0, 10.0)
    momentum: float = number(0.95, 0.0, 0.9999)

    def build(self, model: nn.Module) -> Optimizers:
        # Muon takes matrices only; stacks of them (the experts of a layer) stay with AdamW, at a rate of its scale.
        every = [p for p in model.parameters() if role(p) == MATRIX]
        group = {"params": [p for p in every if p.ndim == 2], "lr": self.matrix, "base": self.matrix}
        muon = torch.optim.Muon([group], weight_decay=self.weight_decay, momentum=self.momentum)
        groups = self.groups(model, (EMBEDDING, NEURON))
        if stacks := [p for p in every if p.ndim != 2]:
            rate = AdamW().matrix
            groups.append({"params": stacks, "lr": rate, "base": rate, "weight_decay": self.weight_decay})
        return Optimizers(model, [muon, torch.optim.AdamW(groups, **self.options())])


class Optimizers:
    """One or more optimizers that move together; their moments are saved by parameter name."""

    def __init__(self, model: nn.Module, members: list[torch.optim.Optimizer]) -> None:
        self.names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
        self.members = members

    def step(self, factor: float) -> None:
        """Move every parameter, its rate scaled by ``factor``."""
        for member in self.members:
            for group in member.param_groups:
                group["lr"] = group["base"] * factor
            member.step()

    def zero_grad(self) -> None:
        for member in self.members:
            member.zero_grad(set_to_none=True)

    def moments(self, parameter: Tensor) -> dict[str, Tensor]:
        """What is kept of a parameter, by name; empty before its first step."""
        kept = next((member.state[parameter] for member in self.members if parameter in member.state), {})
        return {name: value for name, value in kept.items() if isinstance(value, Tensor)}

    def tensors(self) -> dict[str, Tensor]:
        """Every moment, as ``{"parameter|moment": tensor}``."""
        return {
            f"{self.names[parameter]}|{moment}": torch.as_tensor(value)
            for member in self.members
            for parameter, moments in member.state.items()
            for moment, value in moments.items()
        }

    def load(self, tensors: dict[str, Tensor]) -> None:
        parameters = {name: parameter for parameter, name in self.names.items()}
        owner = {p: member for member in self.members for group in member.param_groups for p in group["params"]}
        for key, value in tensors.items():
            name, moment = key.split("|")
            parameter = parameters[name]
            place = value.clone() if moment == "step" else value.to(parameter.device).clone()
            owner[parameter].state[parameter][moment] = place


def gradient_norm(model: nn.Module) -> float:
    """The norm of all gradients, summed in float64: a float32 sum of squares can overflow and silently zero an update."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    if not gradients:
        return 0.0
    wide = torch.float32 if gradients[0].device.type == "mps" else torch.float64  # Apple's GPUs have no float64
    return float(torch.stack(torch._foreach_norm(gradients, 2, wide)).cpu().double().square().sum().sqrt())


def scale_gradients(model: nn.Module, factor: float) -> None:
    torch._foreach_mul_([p.grad for p in model.parameters() if p.grad is not None], factor)
