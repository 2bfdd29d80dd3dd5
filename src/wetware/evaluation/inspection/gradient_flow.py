"""Gradient flow: where the surrogate lets gradients through, and whether recurrence lets them grow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch

from wetware.config import number
from wetware.evaluation.firing import no_neurons
from wetware.evaluation.inspection.neurons import layers_of
from wetware.evaluation.inspection.observation import observed
from wetware.evaluation.measure import Measure, Progress, Subject, Table
from wetware.neurons.leaky import LeakyLayer


@dataclass(frozen=True, kw_only=True)
class GradientFlow(Measure):
    """How gradients pass through the spikes of each layer, on held-out text::

        active = share of (token, neuron) with |membrane - threshold| < width / slope    the surrogate above 1/4 of its peak
        growth = mean decay + sigma_max(W_rec) * mean surrogate

    One step back through time multiplies a gradient by ``diag(decay) + W_rec diag(surrogate)``: above a growth of about 1 it
    may explode, well below it the past is forgotten. ``slowest`` puts the largest decay in the place of the mean.
    """

    title: ClassVar[str] = "Gradients through spikes and recurrence"
    weight: ClassVar[float] = 3.0

    limit: int = number(100_000, 1)

    def quickly(self) -> GradientFlow:
        return replace(self, limit=20_000)

    def refusal(self, subject: Subject) -> str | None:
        if reason := no_neurons(subject):
            return reason
        layers = layers_of(subject.model)
        return (
            None if any(isinstance(layer.neuron, LeakyLayer) for layer in layers) else "its neurons have no surrogate"
        )

    def take(self, subject: Subject, progress: Progress) -> dict[str, Any]:
        seen, layers = observed(subject, self.limit, progress), []
        for layer, did in zip(layers_of(subject.model), seen.layers, strict=True):
            norm = (
                0.0 if layer.recurrent is None else float(torch.linalg.matrix_norm(layer.recurrent.detach().float(), 2))
            )
            decay, slowest, slope = float(layer.params.decay.mean()), float(layer.params.decay.max()), did.slope or 0.0
            layers.append(
                {
                    "active": did.near,
                    "surrogate": did.slope,
                    "spectral_norm": norm,
                    "decay": decay,
                    "growth": decay + norm * slope,
                    "slowest": slowest + norm * slope,
                }
            )
        return {"tokens": seen.tokens, "layers": layers}

    def table(self, figures: dict[str, Any]) -> Table:
        keys = ("surrogate", "spectral_norm", "decay", "growth", "slowest")
        rows = [
            (
                str(index),
                "-" if layer["active"] is None else f"{layer['active']:.1%}",
                *("-" if layer[key] is None else f"{layer[key]:.3f}" for key in keys),
            )
            for index, layer in enumerate(figures["layers"])
        ]
        note = (
            f"On {figures['tokens']:,} held-out tokens. Growth is mean decay + spectral norm of W_rec x mean surrogate; "
            "above about 1, gradients may grow from token to token backwards. A bound, not a measurement of gradients."
        )
        columns = (
            "layer",
            "surrogate active",
            "mean surrogate",
            "norm of W_rec",
            "mean decay",
            "growth",
            "with slowest decay",
        )
        return Table(columns, tuple(rows), note)
