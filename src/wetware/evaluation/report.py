"""Report: a run measured on held-out text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from wetware.data import Packed, Tokenizer
from wetware.evaluation.ngrams import Reference, references
from wetware.models import LanguageModel
from wetware.state import size
from wetware.training import Score, held_out_loss


class Report(NamedTuple):
    """carried: state kept through each document. fresh: a model that has read nothing, every ``context`` tokens (None: not
    measured)."""

    parameters: int
    carried: Score
    fresh: Score | None
    context: int
    state_bytes: int
    references: tuple[Reference, ...]

    def to_dict(self) -> dict[str, Any]:
        def score(value: Score) -> dict[str, Any]:
            names = ("bits_per_byte", "bits_per_token", "perplexity", "tokens", "bytes")
            return {name: getattr(value, name) for name in names}

        return {
            "parameters": self.parameters,
            "carried": score(self.carried),
            "fresh": {**score(self.fresh), "context": self.context} if self.fresh else None,
            "firing": list(self.carried.rates),
            "state_bytes": self.state_bytes,
            "references": {line.name: line._asdict() for line in self.references},
        }


def evaluate(
    model: LanguageModel,
    tokenizer: Tokenizer,
    train: Packed,
    held_out: Packed,
    *,
    limit: int | None = None,
    context: int = 64,
    fresh: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Measure ``model`` on ``held_out``; the n-gram references are counted on ``train``.

    ``state_bytes`` is the state of one sequence after ``context`` tokens; ``limit`` bounds the held-out tokens; ``fresh``
    measures with a fresh state too, which takes as long again.
    """

    def measure(chunk: int, carried: bool) -> Score:
        table = tokenizer.token_bytes
        return held_out_loss(model, held_out, table, limit=limit, chunk=chunk, carried=carried, progress=progress)

    carried = measure(128, True)
    without = measure(context, False) if fresh else None
    lines = references(train, held_out, tokenizer.token_bytes, tokenizer.boundary)
    return Report(model.parameter_count(), carried, without, context, _state_bytes(model, context), lines)


def _state_bytes(model: LanguageModel, tokens: int) -> int:
    import torch

    with torch.inference_mode():
        device = next(model.parameters()).device
        return size(model(torch.ones(1, tokens, dtype=torch.long, device=device) % model.vocab_size).state)
