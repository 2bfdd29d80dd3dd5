"""Activity: who fires, and who never does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch

from wetware.config import number
from wetware.evaluation.firing import firing, no_neurons
from wetware.evaluation.measure import Measure, Progress, Subject, Table


@dataclass(frozen=True, kw_only=True)
class Activity(Measure):
    """Firing rates on held-out text, state carried::

        rate of a neuron = spikes / tokens read,    from 0 to 1

    By layer: the mean; the share that is *dead* (rate at most ``dead``: by default, not one spike in the text) and *saturated*
    (rate above ``saturated``); and a histogram of the rates in ``bins`` equal bins. Whether a neuron is dead depends on how
    much is read: the number of tokens is part of the answer.
    """

    title: ClassVar[str] = "Activity: firing rates by layer"
    quick: ClassVar[bool] = True
    weight: ClassVar[float] = 3.0

    limit: int = number(200_000, 1)
    bins: int = number(50, 1, 1000)
    dead: float = number(0.0, 0.0, 1.0)
    saturated: float = number(0.95, 0.0, 1.0)

    def quickly(self) -> Activity:
        return replace(self, limit=20_000)

    def refusal(self, subject: Subject) -> str | None:
        return no_neurons(subject)

    def take(self, subject: Subject, progress: Progress) -> dict[str, Any]:
        seen = firing(subject, self.limit, progress)
        layers = [
            {
                "neurons": len(rates),
                "rate": float(rates.mean()),
                "median": float(rates.median()),
                "dead": float((rates <= self.dead).double().mean()),
                "saturated": float((rates > self.saturated).double().mean()),
                "histogram": torch.histc(rates, self.bins, 0.0, 1.0).long().tolist(),
            }
            for rates in seen.rates
        ]
        everyone = torch.cat(seen.rates)
        return {
            "tokens": seen.tokens,
            "rate": float(everyone.mean()),
            "dead": float((everyone <= self.dead).double().mean()),
            "saturated": float((everyone > self.saturated).double().mean()),
            "dead_at": self.dead,
            "saturated_above": self.saturated,
            "layers": layers,
        }

    def table(self, figures: dict[str, Any]) -> Table:
        rows = [
            (
                str(index),
                str(layer["neurons"]),
                *(f"{layer[key]:.1%}" for key in ("rate", "median", "dead", "saturated")),
            )
            for index, layer in enumerate(figures["layers"])
        ]
        total = sum(layer["neurons"] for layer in figures["layers"])
        rows.append(
            ("all", str(total), f"{figures['rate']:.1%}", "", f"{figures['dead']:.1%}", f"{figures['saturated']:.1%}")
        )
        above, dead = figures["saturated_above"], figures.get("dead_at", 0.0)
        words = f"at most {dead:g} spikes a token" if dead else "not one spike"
        note = f"On {figures['tokens']:,} held-out tokens. Dead: {words}; saturated: a rate above {above:g}."
        return Table(("layer", "neurons", "mean rate", "median", "dead", "saturated"), tuple(rows), note)
