"""Program rates: who fires, by gene program."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch

from wetware.config import number
from wetware.evaluation.inspection.neurons import layers_of, no_programs
from wetware.evaluation.inspection.observation import observed
from wetware.evaluation.measure import Measure, Progress, Subject, Table
from wetware.modulation import PROGRAMS, dominant


@dataclass(frozen=True, kw_only=True)
class ProgramRates(Measure):
    """Mean firing rate of the neurons of each dominant program, by layer, beside what the bridge gives them: mean threshold,
    decay and gain. A neuron belongs to the program of which it has most, by the mean over its draws of genes."""

    title: ClassVar[str] = "Gene programs: who fires"
    weight: ClassVar[float] = 3.0

    limit: int = number(100_000, 1)

    def quickly(self) -> ProgramRates:
        return replace(self, limit=20_000)

    def refusal(self, subject: Subject) -> str | None:
        return no_programs(subject.model)

    def take(self, subject: Subject, progress: Progress) -> dict[str, Any]:
        seen = observed(subject, self.limit, progress)
        layers = []
        for layer, did in zip(layers_of(subject.model), seen.layers, strict=True):
            if layer.programs is None:
                continue
            belongs = dominant(layer.programs).cpu()
            layers.append(
                {
                    "neurons": torch.bincount(belongs, minlength=len(PROGRAMS)).tolist(),
                    "rate": _means(did.rate, belongs),
                    **{name: _means(values.cpu(), belongs) for name, values in layer.params._asdict().items()},
                }
            )
        return {"tokens": seen.tokens, "programs": list(PROGRAMS), "layers": layers}

    def table(self, figures: dict[str, Any]) -> Table:
        layers = figures["layers"]
        rows = []
        for place, program in enumerate(figures["programs"]):
            first = layers[0]
            rates = [_shown(layer["rate"][place], "{:.1%}") for layer in layers]
            given = [_shown(first[name][place], "{:.3f}") for name in ("threshold", "decay", "gain")]
            rows.append((program, str(first["neurons"][place]), *rates, *given))
        columns = ("program", "neurons a layer", *(f"layer {index}" for index in range(len(layers))))
        note = f"Rates on {figures['tokens']:,} held-out tokens; mean parameters of layer 0, as the bridge gives them."
        return Table((*columns, "threshold", "decay", "gain"), tuple(rows), note)


def _means(values: torch.Tensor, belongs: torch.Tensor) -> list[float | None]:
    groups = [values[belongs == place] for place in range(len(PROGRAMS))]
    return [float(group.double().mean()) if len(group) else None for group in groups]


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
