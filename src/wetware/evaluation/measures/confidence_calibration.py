"""Calibration: whether the model knows how sure it may be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch

from wetware.config import number
from wetware.evaluation.measure import Measure, Progress, Subject, Table
from wetware.training import held_out_walk


@dataclass(frozen=True, kw_only=True)
class ConfidenceCalibration(Measure):
    """Expected calibration error of the likeliest token, on held-out text, state carried (Guo et al., 2017)::

        ECE = sum over bins of  n_b / n * |accuracy_b - confidence_b|

    A token's confidence is the largest probability; bin b of ``bins`` holds those in ``((b - 1) / bins, b / bins]``. From 0
    (what is said with probability p is right in a share p of cases) to 1. A model that always guesses by frequency is well
    calibrated and useless: read it beside bits per byte.
    """

    title: ClassVar[str] = "Calibration of the likeliest token"
    quick: ClassVar[bool] = True
    weight: ClassVar[float] = 3.0

    bins: int = number(15, 1, 1000)
    limit: int = number(200_000, 1)

    def quickly(self) -> ConfidenceCalibration:
        return replace(self, limit=20_000)

    @torch.inference_mode()
    def take(self, subject: Subject, progress: Progress) -> dict[str, Any]:
        limit = min(self.limit, subject.limit or self.limit, len(subject.held_out))
        tokens, right, confidence = (torch.zeros(self.bins, dtype=torch.float64) for _ in range(3))
        for reading in held_out_walk(subject.model, subject.held_out, limit=limit):
            sure, guess = reading.output.logits[reading.counted].softmax(-1).max(-1)
            place = ((sure * self.bins).ceil().long() - 1).clamp(0, self.bins - 1).cpu()
            hit = (guess == reading.targets[reading.counted]).double().cpu()
            for sums, values in ((tokens, torch.ones_like(hit)), (right, hit), (confidence, sure.double().cpu())):
                sums.index_add_(0, place, values)
            progress(float(tokens.sum()) / limit)
        total = float(tokens.sum())
        bins = [
            {
                "low": index / self.bins,
                "high": (index + 1) / self.bins,
                "tokens": int(count),
                "accuracy": float(right[index] / count) if count else None,
                "confidence": float(confidence[index] / count) if count else None,
            }
            for index, count in enumerate(tokens.tolist())
        ]
        return {
            "expected_calibration_error": float((right - confidence).abs().sum()) / max(total, 1.0),
            "accuracy": float(right.sum()) / max(total, 1.0),
            "confidence": float(confidence.sum()) / max(total, 1.0),
            "tokens": int(total),
            "bins": bins,
        }

    def table(self, figures: dict[str, Any]) -> Table:
        names = ("expected_calibration_error", "accuracy", "confidence")
        row = tuple(f"{figures[name]:.4f}" for name in names)
        note = f"{figures['tokens']:,} held-out tokens in {len(figures['bins'])} bins of equal width. "
        more, less = ("sure of itself", "than it may be")
        word = "more" if figures["confidence"] > figures["accuracy"] else "less"
        note += f"On average the model is {word} {more} {less}."
        columns = ("", "expected calibration error", "accuracy", "mean confidence")
        return Table(columns, (("likeliest token", *row),), note)
