"""Minimal pairs: does a model find the good sentence likelier than the bad one beside it?"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from wetware.config import number
from wetware.data import DataError
from wetware.data.readers import checked_text, column_of, json_objects
from wetware.evaluation.measure import Measure, Progress, Subject, Table
from wetware.evaluation.scoring import passages, score
from wetware.evaluation.shares import wilson

SIDES = ("sentence_good", "sentence_bad")
GROUPS = ("phenomenon", "linguistics_term", "UID")
"""Where a row may say what it tests, the broadest first."""


@dataclass(frozen=True, kw_only=True)
class MinimalPairs(Measure):
    """Minimal pairs in the form of BLiMP (Warstadt et al., 2020): the sentence whose tokens' log-probabilities have the greater
    sum wins; a tie is half a point, and 0.5 is guessing. Each sentence is read as a document of its own.

    Args:
        file: JSON lines with ``sentence_good`` and ``sentence_bad``, and ``phenomenon``, ``linguistics_term`` or ``UID``.
        max_per_phenomenon: at most the first so many pairs of each; None takes all.
    """

    title: ClassVar[str] = "minimal pairs"

    file: str | None = None
    max_per_phenomenon: int | None = number(None, 1)

    def refusal(self, subject: Subject) -> str | None:
        return None if self.file else "it needs a file of pairs: JSON lines with sentence_good and sentence_bad"

    def take(self, subject: Subject, progress: Progress) -> dict[str, Any]:
        """Accuracy with its interval, in all and by phenomenon. Raises DataError, naming the line, for a file that is wrong."""
        assert self.file is not None
        pairs = self._pairs(Path(self.file))
        sentences = [("", sentence) for _, good, bad in pairs for sentence in (good, bad)]
        likelihoods = score(subject.model, subject.tokenizer, passages(subject.tokenizer, sentences), progress=progress)
        sums = [likelihood.log_probability for likelihood in likelihoods]
        points: dict[str, list[float]] = defaultdict(list)
        for (phenomenon, _, _), good, bad in zip(pairs, sums[::2], sums[1::2], strict=True):
            points[phenomenon].append(0.5 if good == bad else float(good > bad))
        every = [point for group in points.values() for point in group]
        return {**_figures(every), "phenomena": {name: _figures(group) for name, group in sorted(points.items())}}

    def _pairs(self, path: Path) -> list[tuple[str, str, str]]:
        """``(phenomenon, good, bad)``."""
        found: list[tuple[str, str, str]] = []
        counts: dict[str, int] = defaultdict(int)
        try:
            file = path.open("rb")
        except OSError as error:
            raise DataError(f"cannot read {str(path)!r}: {error.strerror}") from None
        with file:
            for where, row in json_objects(file, str(path)):
                good, bad = (checked_text(column_of(row, side, where), f"{where}, {side}") for side in SIDES)
                if not good or not bad:
                    raise DataError(f"{where}: a sentence is empty")
                phenomenon = next((str(row[name]) for name in GROUPS if row.get(name)), "unnamed")
                counts[phenomenon] += 1
                if self.max_per_phenomenon is None or counts[phenomenon] <= self.max_per_phenomenon:
                    found.append((phenomenon, good, bad))
        if not found:
            raise DataError(f"{str(path)!r} holds no pairs")
        return found

    def table(self, figures: dict[str, Any]) -> Table:
        named = [*figures["phenomena"].items(), ("all", figures)]
        rows = [
            (name, f"{of['pairs']}", f"{of['accuracy']:.3f}", f"{of['interval'][0]:.3f} to {of['interval'][1]:.3f}")
            for name, of in named
        ]
        note = "Share of pairs in which the good sentence is the likelier; 0.5 is guessing. 95 % Wilson intervals."
        return Table(("phenomenon", "pairs", "accuracy", "interval"), tuple(rows), note)


def _figures(points: list[float]) -> dict[str, Any]:
    return {
        "pairs": len(points),
        "ties": points.count(0.5),
        "accuracy": sum(points) / len(points),
        "interval": list(wilson(sum(points), len(points))),
    }
