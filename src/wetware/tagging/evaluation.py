"""How well private data is found: entities by nervaluate, and characters, which is what leaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from wetware.data import DataError
from wetware.tagging.entities import KINDS, Span
from wetware.tagging.examples import Example


class Found(NamedTuple):
    """Of one kind of entity, or of all. Shares from 0 to 1; None where there is nothing to take a share of.

    entities: how many there are. precision, recall, f1: an entity counts when kind and both ends are right ("strict").
    partial: F1 in which one that overlaps counts half, whatever its kind ("partial"); as nervaluate has it (SemEval 2013, task
    9). character_recall: of the private characters, those that were tagged, by whatever kind: what redaction hides; the rest
    leaks. character_precision: of the tagged characters, those that are private (of one kind: of that kind's tags, whatever
    private data they cover).
    """

    entities: int
    precision: float | None
    recall: float | None
    f1: float | None
    partial: float | None
    character_recall: float | None
    character_precision: float | None


class Figures(NamedTuple):
    """all: over every kind. kinds: each by itself, where there is any."""

    all: Found
    kinds: dict[str, Found]
    texts: int
    characters: int

    def to_dict(self) -> dict[str, Any]:
        kinds = {kind: found._asdict() for kind, found in self.kinds.items()}
        return {"texts": self.texts, "characters": self.characters, "all": self.all._asdict(), "kinds": kinds}


def measure(examples: Sequence[Example], found: Sequence[Sequence[Span]]) -> Figures:
    """The figures of what was ``found`` in each of the ``examples``. Raises DataError without nervaluate (the extra
    ``tag``)."""
    try:
        from nervaluate.evaluator import Evaluator
    except ImportError:
        raise DataError("the scores of entities need nervaluate: pip install 'wetware[tag]'") from None
    true = [_spans(example.spans) for example in examples]
    results = Evaluator(true, [_spans(spans) for spans in found], tags=list(KINDS), loader="dict").evaluate()
    covered = _Characters(examples, found)
    # nervaluate's own count can be off by one where a found span overlaps several
    there = Counter(span.kind for example in examples for span in example.spans)
    kinds = {
        kind: _found(results["entities"][kind], there[kind], covered.recall(kind), covered.precision(kind))
        for kind in KINDS
        if kind in results["entities"]
    }
    every = _found(results["overall"], there.total(), covered.recall(None), covered.precision(None))
    return Figures(every, kinds, len(examples), sum(len(example.text) for example in examples))


def _spans(spans: Sequence[Span]) -> list[dict[str, Any]]:
    # nervaluate's ends are inclusive
    return [{"label": span.kind, "start": span.start, "end": span.end - 1} for span in spans]


def _found(results: dict[str, Any], there: int, recall: float | None, precision: float | None) -> Found:
    strict, partial = results["strict"], results["partial"]
    said = strict.actual
    return Found(
        there,
        strict.precision if said else None,
        strict.recall if there else None,
        strict.f1 if there or said else None,
        partial.f1 if there or said else None,
        recall,
        precision,
    )


class _Characters:
    """How many characters of each kind there are, were tagged, and both."""

    def __init__(self, examples: Sequence[Example], found: Sequence[Sequence[Span]]) -> None:
        self.there = dict.fromkeys(KINDS, 0)
        self.hidden, self.said, self.right = dict(self.there), dict(self.there), dict(self.there)
        for example, spans in zip(examples, found, strict=True):
            private, tagged = np.zeros(len(example.text), bool), np.zeros(len(example.text), bool)
            for marks, each in ((private, example.spans), (tagged, spans)):
                for span in each:
                    marks[span.start : span.end] = True
            for span in example.spans:
                self.there[span.kind] += span.end - span.start
                self.hidden[span.kind] += int(tagged[span.start : span.end].sum())
            for span in spans:
                self.said[span.kind] += span.end - span.start
                self.right[span.kind] += int(private[span.start : span.end].sum())

    def recall(self, kind: str | None) -> float | None:
        return _share(self.hidden, self.there, kind)

    def precision(self, kind: str | None) -> float | None:
        return _share(self.right, self.said, kind)


def _share(part: dict[str, int], whole: dict[str, int], kind: str | None) -> float | None:
    total = sum(whole.values()) if kind is None else whole[kind]
    return (sum(part.values()) if kind is None else part[kind]) / total if total else None
