"""Measure: one question that can be asked of a trained model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from wetware.config import Config
from wetware.data import Corpus, Packed, Tokenizer
from wetware.models import LanguageModel
from wetware.training import Run

Progress = Callable[[float], None]  # told the share that is done, from 0 to 1


@dataclass(frozen=True)
class Subject:
    """What is measured: a model, its tokenizer, the text it learned (``corpus``, ``train``) and the text it never saw.

    name: how it is called in reports. limit: at most so many held-out tokens (None: all). run: how the model was trained,
    where that is known. weights: how its matrices are kept ("float32", "bfloat16" or "int8"; ``model`` is rounded already).
    """

    name: str
    model: LanguageModel
    tokenizer: Tokenizer
    corpus: Corpus
    train: Packed
    held_out: Packed
    limit: int | None = None
    run: Run | None = None
    weights: str = "float32"


class Table(NamedTuple):
    """Figures for people: column titles, and rows of text of the same length. ``note`` says how to read them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Measure(Config):
    """A slot for a measure. One file of ``evaluation/measures/`` each; ``wetware evaluate`` finds them by themselves.

    title: what it tells. quick: whether it belongs to the quick suite, which takes a minute. weight: about how many seconds
    it takes of a small model; only the bar that shows progress reads it.
    """

    abstract: ClassVar[bool] = True
    title: ClassVar[str] = ""
    quick: ClassVar[bool] = False
    weight: ClassVar[float] = 10.0

    def quickly(self) -> Measure:
        """The same question as the quick suite asks it: of less text, where that makes it quicker."""
        return self

    def refusal(self, subject: Subject) -> str | None:
        """Why this cannot be asked of ``subject``, in a sentence for its user; None when it can."""
        return None

    def take(self, subject: Subject, progress: Progress) -> dict[str, Any]:
        """The figures, as plain data for JSON. Changes neither the model nor its random numbers."""
        raise NotImplementedError

    def table(self, figures: dict[str, Any]) -> Table:
        """``figures`` (also when read back from JSON) for people."""
        raise NotImplementedError

    def side_by_side(self, figures: dict[str, list[dict[str, Any]]]) -> Table:
        """The same for several kinds of model, each by its name and trained several times: what a study that takes this
        measure of each cell has in its report. To be in one, a measure needs this."""
        raise NotImplementedError
