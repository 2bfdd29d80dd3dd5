"""Mixing: documents of several sources in one row, each source with its share of the tokens.

Documents of one source may be much longer than those of another, so that drawing sources at random by share would not
give tokens by share. Instead the next document is always of the source that is furthest below its quota::

    deficit_i = share_i * sum_j emitted_j - emitted_i

which is never further off than the longest document. Which source answers first plays no part in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from wetware.data.files import DataError
from wetware.data.tokenizers import Tokenizer

if TYPE_CHECKING:
    from wetware.data.mixture import Part

# Encoded at once, for each source: enough to keep every core busy, and all that is held in memory.
BATCH_CHARACTERS = 2**20
Watch = Callable[[], None]
START: dict[str, Any] = {"reader": None, "taken": 0, "tokens": 0, "passes": 0}


def furthest_below(emitted: Sequence[int], shares: Sequence[float]) -> int:
    """The index of the source with the largest deficit; of equals, the one with the larger share, then the first."""
    total = sum(emitted)
    return max(range(len(shares)), key=lambda i: (shares[i] * total - emitted[i], shares[i], -i))


class Mixer:
    """Rows of tokens, a document each with its boundary first, endlessly: a source that ends begins again.

    ``place`` is where it has come to, as plain data: from there another mixer gives the same rows. ``watch`` is called after
    each document that is read, and may raise.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        shares: Sequence[float],
        tokenizer: Tokenizer,
        place: Any = None,
        watch: Watch | None = None,
    ) -> None:
        self.shares, self.watch = shares, watch
        self.sources = [_Source(part, tokenizer, place[part.name] if place else START, watch) for part in parts]

    def __iter__(self) -> Iterator[np.ndarray]:
        return self

    def __next__(self) -> np.ndarray:
        index = furthest_below([source.tokens for source in self.sources], self.shares)
        return self.sources[index].draw(self.watch)

    @property
    def place(self) -> dict[str, Any]:
        return {source.part.name: source.place for source in self.sources}


class _Source:
    """One part of a mixture: ``tokens`` counts what it has given, ``passes`` how often it was read to its end.

    Documents are encoded a batch ahead; the place is the one where the batch began, and how many were taken of it.
    """

    def __init__(self, part: Part, tokenizer: Tokenizer, place: dict[str, Any], watch: Watch | None) -> None:
        self.part, self.tokenizer = part, tokenizer
        self.tokens, self.passes = int(place["tokens"]), int(place["passes"])
        self._begun, self._taken = place["reader"], 0
        self._reader = part.corpus.reader(self._begun)
        self._batch: deque[np.ndarray] = deque()
        for _ in range(place["taken"]):
            self._next(watch)

    def draw(self, watch: Watch | None) -> np.ndarray:
        row = self._next(watch)
        self.tokens += len(row)
        return row

    @property
    def place(self) -> dict[str, Any]:
        return {"reader": self._begun, "taken": self._taken, "tokens": self.tokens, "passes": self.passes}

    def _next(self, watch: Watch | None) -> np.ndarray:
        if not self._batch:
            self._fill(watch)
        self._taken += 1
        return self._batch.popleft()

    def _fill(self, watch: Watch | None) -> None:
        texts = self._read(watch)
        if not texts:
            self._reader = self.part.corpus.reader()
            self.passes += 1
            texts = self._read(watch)
        if not texts:
            raise DataError(f"{self.part.name!r}, a part of a mixture, has no text to train on")
        boundary = self.tokenizer.boundary
        for tokens in self.tokenizer.encode_marked(texts, self.part.corpus.specials):
            self._batch.append(np.array([boundary, *tokens], dtype=np.uint32))

    def _read(self, watch: Watch | None) -> list[str]:
        """The next batch of texts, and where it begins; a batch ends where the corpus does."""
        self._begun, self._taken = self._reader.place, 0
        texts: list[str] = []
        size = 0
        while size < BATCH_CHARACTERS and (text := next(self._reader, None)) is not None:
            texts.append(text)
            size += len(text)
            if watch is not None:
                watch()
        return texts
