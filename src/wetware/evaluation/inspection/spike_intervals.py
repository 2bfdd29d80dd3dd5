"""Spike intervals: how regularly neurons fire."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from wetware.config import number
from wetware.evaluation.firing import no_neurons
from wetware.evaluation.inspection.observation import SPAN, observed
from wetware.evaluation.measure import Measure, Progress, Subject, Table


@dataclass(frozen=True, kw_only=True)
class SpikeIntervals(Measure):
    """Tokens between two spikes of a neuron: their distribution in a layer, and of each neuron their coefficient of variation::

        CV = standard deviation / mean     0: a clock.  1: chance with a fixed rate, when it is rare.  above 1: bursts

    Spikes thrown like coins at rate r have CV ``sqrt(1 - r)``: ``against_chance`` is CV over that, 1 for coins at any rate.
    Counted are neurons with at least ``fewest`` intervals; a silence of more than SPAN tokens is not seen as an interval.
    """

    title: ClassVar[str] = "Intervals between spikes"
    weight: ClassVar[float] = 3.0

    limit: int = number(100_000, 1)
    fewest: int = number(20, 2)

    def quickly(self) -> SpikeIntervals:
        return replace(self, limit=20_000)

    def refusal(self, subject: Subject) -> str | None:
        return no_neurons(subject)

    def take(self, subject: Subject, progress: Progress) -> dict[str, Any]:
        seen = observed(subject, self.limit, progress)
        layers = []
        for did in seen.layers:
            count, total, square = did.interval_moments
            enough = count >= self.fewest
            mean = total[enough] / count[enough]
            variance = (square[enough] / count[enough] - mean.square()).clamp_min(0.0)
            variation = variance.sqrt() / mean
            # a coin of rate 1 never misses: no interval varies, and nothing is to be compared
            chance = (1.0 - 1.0 / mean).clamp_min(0.0).sqrt()
            compared = variation[chance > 1e-6] / chance[chance > 1e-6]
            known = (
                did.intervals[: int(did.intervals.nonzero().max()) + 1] if did.intervals.any() else did.intervals[:1]
            )
            layers.append(
                {
                    "neurons": int(enough.sum()),
                    "mean": float(total.sum() / count.sum()) if count.sum() else None,
                    "variation": float(variation.median()) if len(variation) else None,
                    "against_chance": float(compared.median()) if len(compared) else None,
                    "variations": variation.tolist(),
                    "intervals": known.tolist(),
                }
            )
        return {"tokens": seen.tokens, "longest": SPAN - 1, "fewest": self.fewest, "layers": layers}

    def table(self, figures: dict[str, Any]) -> Table:
        rows = [
            (
                str(index),
                str(layer["neurons"]),
                *(
                    "-" if layer[key] is None else f"{layer[key]:.2f}"
                    for key in ("mean", "variation", "against_chance")
                ),
            )
            for index, layer in enumerate(figures["layers"])
        ]
        note = (
            f"On {figures['tokens']:,} held-out tokens; neurons with {figures['fewest']} intervals or more, silences of more "
            f"than {figures['longest']} tokens left out. CV 0 is a clock; against chance, 1 is a coin of the same rate."
        )
        return Table(("layer", "neurons", "mean interval", "median CV", "against chance"), tuple(rows), note)
