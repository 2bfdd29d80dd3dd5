"""Bits per byte, and what is the same in other units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from wetware.config import number
from wetware.evaluation.measure import Measure, Progress, Subject, Table
from wetware.evaluation.report import evaluate
from wetware.training import EveryToken


@dataclass(frozen=True, kw_only=True)
class BitsPerByte(Measure):
    """How well the model foretells held-out text::

        bits per byte = sum of -ln p(token) / (ln 2 * bytes of those tokens)

    It is the only figure that compares across tokenizers, because bytes are those of the source text. Beside it bits per
    token and perplexity (e to the mean loss per token); the state carried through each document, and fresh every
    ``context`` tokens; and n-gram models of the same tokens (:mod:`wetware.evaluation.ngrams`). Boundaries are read and not
    counted: they stand for no text.

    limit: at most so many held-out tokens, an equal head of every document (None: all); the subject's own limit goes before.
    """

    title: ClassVar[str] = "Bits per byte on held-out text"
    quick: ClassVar[bool] = True
    weight: ClassVar[float] = 8.0

    context: int = number(64, 1)
    limit: int | None = number(None, 1)

    def quickly(self) -> BitsPerByte:
        return replace(self, limit=100_000)

    def refusal(self, subject: Subject) -> str | None:
        if subject.run is None or isinstance(subject.run.training.counted, EveryToken):
            return None
        return "this run learned the answers of a task alone and not the text between them; its task's measure tells how well"

    def take(self, subject: Subject, progress: Progress) -> dict[str, Any]:
        limit = subject.limit or self.limit or len(subject.held_out)
        done = 0

        def read(tokens: int) -> None:
            nonlocal done
            done += tokens
            progress(done / (2 * min(limit, len(subject.held_out))))

        report = evaluate(
            subject.model,
            subject.tokenizer,
            subject.train,
            subject.held_out,
            limit=limit,
            context=self.context,
            progress=read,
        )
        return report.to_dict()

    def table(self, figures: dict[str, Any]) -> Table:
        rows = []
        for label, score in (("state carried", figures["carried"]), ("fresh", figures["fresh"])):
            label = f"fresh every {score['context']} tokens" if label == "fresh" else label
            rows.append(
                (label, f"{score['bits_per_byte']:.4f}", f"{score['bits_per_token']:.3f}", f"{score['perplexity']:.1f}")
            )
        for name, line in figures["references"].items():
            rows.append((name, f"{line['bits_per_byte']:.4f}", "", f"{line['perplexity']:.1f}"))
        carried = figures["carried"]
        note = f"{carried['tokens']:,} tokens, {carried['bytes']:,} bytes of text that the model never saw."
        note += " The n-gram lines are counted on the model's own training text and read all held-out text."
        return Table(("held-out text", "bits per byte", "bits per token", "perplexity"), tuple(rows), note)
