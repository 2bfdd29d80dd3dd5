"""Examples: texts whose private data is marked, and the slot for where they come from."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from wetware.config import Config
from wetware.data import DataError
from wetware.tagging.entities import Span, tags_of

SPLITS = ("train", "development", "test")


class Example(NamedTuple):
    """A text and its entities, in order and without overlap."""

    text: str
    spans: tuple[Span, ...]

    def tags(self) -> np.ndarray:
        return tags_of(len(self.text), self.spans)

    def cut(self, longest: int) -> Example:
        """At most the first ``longest`` characters; an entity that would be cut is left out whole."""
        if len(self.text) <= longest:
            return self
        whole = tuple(span for span in self.spans if span.end <= longest)
        torn = next((span.start for span in self.spans if span.start < longest < span.end), longest)
        return Example(self.text[:torn], whole)


@dataclass(frozen=True, kw_only=True)
class TaggedCorpus(Config):
    """A slot for marked texts."""

    abstract: ClassVar[bool] = True

    def build(self) -> TaggedTexts:
        """The texts. Raises DataError, with one line, for what cannot be read."""
        raise NotImplementedError


class TaggedTexts(ABC):
    """Marked texts in three parts that share nothing they must not share."""

    @abstractmethod
    def training(self, seed: int, index: int) -> Example:
        """Training example ``index`` of the order that ``seed`` stands for, without end."""

    @abstractmethod
    def held_out(self, split: str) -> list[Example]:
        """All of ``development``, by which a checkpoint is chosen, or of ``test``, which nothing is chosen by."""


class ListedTexts(TaggedTexts):
    """Texts that are all there; training goes through them again and again, in another order each time."""

    def __init__(self, parts: dict[str, list[Example]]) -> None:
        for split in SPLITS:
            if not parts.get(split):
                raise DataError(f"the marked texts have no example for {split!r}: more of them are needed")
        self.parts = parts
        self._order: tuple[tuple[int, int], Sequence[int]] = ((-1, -1), ())

    def training(self, seed: int, index: int) -> Example:
        examples = self.parts["train"]
        epoch, place = divmod(index, len(examples))
        if self._order[0] != (seed, epoch):
            order = list(range(len(examples)))
            random.Random(f"{seed}/{epoch}").shuffle(order)
            self._order = ((seed, epoch), order)
        return examples[self._order[1][place]]

    def held_out(self, split: str) -> list[Example]:
        return self.parts[split]
