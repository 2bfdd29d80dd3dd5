"""Lesioned: what each part of a trained model is worth to it, without training it again."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from wetware.config import number
from wetware.evaluation.firing import no_neurons
from wetware.evaluation.inspection.lesions import inapplicable, lesions
from wetware.evaluation.measure import Measure, Progress, Subject, Table
from wetware.models import LanguageModel
from wetware.training import held_out_walk


@dataclass(frozen=True, kw_only=True)
class Lesioned(Measure):
    """Bits per byte on held-out text of the model as it is, and with one thing taken from it at a time (:mod:`.lesions`)::

        difference = bits per byte lesioned - intact,   +- 2 standard errors of its mean over blocks of ``block`` tokens

    What the rest had learned to rely on is missed here, so this is not what a part is worth to a model that is trained
    without it; ``wetware study`` asks that.
    """

    title: ClassVar[str] = "Ablations at inference"
    weight: ClassVar[float] = 15.0

    limit: int = number(20_000, 1)
    block: int = number(64, 1)

    def quickly(self) -> Lesioned:
        return replace(self, limit=5_000)

    def refusal(self, subject: Subject) -> str | None:
        return no_neurons(subject)

    def take(self, subject: Subject, progress: Progress) -> dict[str, Any]:
        asked = list(lesions(subject.model))
        intact, size = self._read(subject, subject.model)
        progress(1 / (1 + len(asked)))
        rows = []
        for place, lesion in enumerate(asked):
            nats, _ = self._read(subject, lesion.make(subject.model))
            rows.append({"lesion": lesion.name, "about": lesion.about, **self._figures(nats, intact, size)})
            progress((2 + place) / (1 + len(asked)))
        bits = float(intact.sum()) / (math.log(2) * max(size, 1))
        return {
            "tokens": len(intact),
            "bits_per_byte": bits,
            "block": self.block,
            "lesions": rows,
            "not_made": inapplicable(subject.model),
        }

    def _read(self, subject: Subject, model: LanguageModel) -> tuple[Tensor, int]:
        """The loss of each held-out token in nats, and how many bytes they are."""
        limit = min(self.limit, subject.limit or self.limit)
        sizes = torch.as_tensor(subject.tokenizer.token_bytes)
        nats, size = [], 0
        for reading in held_out_walk(model, subject.held_out, limit=limit):
            nats.append(reading.nats().double().cpu())
            size += int(sizes[reading.targets[reading.counted].cpu()].sum())
        return torch.cat(nats), size

    def _figures(self, nats: Tensor, intact: Tensor, size: int) -> dict[str, float]:
        unit = math.log(2) * max(size, 1)
        difference = nats - intact
        sums = torch.stack([part.sum() for part in difference.split(self.block)])
        error = float(sums.std()) * math.sqrt(len(sums)) / unit if len(sums) > 1 else float("nan")
        return {
            "bits_per_byte": float(nats.sum()) / unit,
            "difference": float(difference.sum()) / unit,
            "standard_error": error,
        }

    def table(self, figures: dict[str, Any]) -> Table:
        rows = [("intact", f"{figures['bits_per_byte']:.4f}", "", "")]
        for row in figures["lesions"]:
            error = "-" if row["standard_error"] is None else f"{2 * row['standard_error']:.4f}"
            rows.append((row["lesion"], f"{row['bits_per_byte']:.4f}", f"{row['difference']:+.4f}", error))
        note = (
            f"Bits per byte on the same {figures['tokens']:,} held-out tokens. The model is not trained again: this tells "
            "what it relies on, not what the part is worth (wetware study)."
        )
        left_out = [f"{name}: {reason}" for name, reason in figures["not_made"].items()]
        if left_out:
            note += f" Not made: {'; '.join(left_out)}."
        return Table(("", "bits per byte", "difference", "2 standard errors"), tuple(rows), note)
