"""Feature rank: in how many directions the membranes move."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from wetware.config import number
from wetware.evaluation.firing import no_neurons
from wetware.evaluation.inspection.observation import FEATURES, observed
from wetware.evaluation.measure import Measure, Progress, Subject, Table


@dataclass(frozen=True, kw_only=True)
class FeatureRank(Measure):
    """Effective rank of ``tanh(membrane)`` over tokens, of each layer and of all together (Roy and Vetterli, 2007)::

        effective rank = exp(-sum p ln p),  p = singular values of the features about their mean, over their sum

    and the number of principal directions that hold ``share`` of the variance. At most FEATURES evenly spaced tokens are
    used; no rank can exceed their number.
    """

    title: ClassVar[str] = "Effective rank of the membranes"
    weight: ClassVar[float] = 4.0

    limit: int = number(100_000, 1)
    share: float = number(0.9, 0.0, 1.0, open_ends=True)

    def quickly(self) -> FeatureRank:
        return replace(self, limit=20_000)

    def refusal(self, subject: Subject) -> str | None:
        return no_neurons(subject)

    def take(self, subject: Subject, progress: Progress) -> dict[str, Any]:
        seen = observed(subject, self.limit, progress)
        parts = [did.features for did in seen.layers]
        groups = {str(index): part for index, part in enumerate(parts)} | (
            {"all": torch.cat(parts, 1)} if parts else {}
        )
        return {
            "tokens": len(parts[0]),
            "share": self.share,
            "layers": {name: {"neurons": part.shape[1], **self._rank(part)} for name, part in groups.items()},
        }

    def _rank(self, features: Tensor) -> dict[str, float]:
        about = features.double() - features.double().mean(0)
        gram = about @ about.T if len(about) < about.shape[1] else about.T @ about
        values = torch.linalg.eigvalsh(gram).clamp_min(0.0).sqrt().flip(0)
        p = values / values.sum().clamp_min(1e-300)
        held = values.square().cumsum(0) / values.square().sum().clamp_min(1e-300)
        rank = float(torch.exp(-torch.special.xlogy(p, p).sum())) if values[0] > 0 else 0.0
        return {"effective_rank": rank, "directions": int((held < self.share).sum()) + 1 if rank else 0}

    def table(self, figures: dict[str, Any]) -> Table:
        rows = [
            (name, str(layer["neurons"]), f"{layer['effective_rank']:.1f}", str(layer["directions"]))
            for name, layer in figures["layers"].items()
        ]
        note = f"Of {figures['tokens']:,} tokens (at most {FEATURES}); no rank can exceed that."
        columns = ("layer", "neurons", "effective rank", f"directions with {figures['share']:.0%} of variance")
        return Table(columns, tuple(rows), note)
