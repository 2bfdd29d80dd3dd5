"""Joined: several packed texts, read as one."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from wetware.data.files import digest
from wetware.data.packing import Packed


class Joined(Packed):
    """The documents of all ``parts``, those of the first first; nothing is copied. An epoch is an epoch of each part."""

    def __init__(self, parts: Sequence[Packed]) -> None:
        self.parts = tuple(parts)
        self.key = digest([part.key for part in self.parts])
        self.source_bytes = sum(part.source_bytes for part in self.parts)
        self.vocab_size = self.parts[0].vocab_size
        self._begins = np.cumsum([0, *(len(part) for part in self.parts)])
        ends = [begin + part.lengths.cumsum() for begin, part in zip(self._begins, self.parts, strict=False)]
        self._offsets = np.concatenate([np.zeros(1, np.int64), *ends])

    @property
    def epoch_tokens(self) -> int:
        return sum(part.epoch_tokens for part in self.parts)

    def epoch(self, index: int) -> Packed:
        read = [part.epoch(index) for part in self.parts]
        same = all(one is other for one, other in zip(read, self.parts, strict=True))
        return self if same else Joined(read)

    def place(self, epoch: int) -> Any:
        return [part.place(epoch) for part in self.parts]

    def go_on(self, epoch: int, place: Any) -> None:
        for part, where in zip(self.parts, place or [None] * len(self.parts), strict=True):
            part.go_on(epoch, where)

    def reading_ahead(self) -> AbstractContextManager[Any]:
        return self._reading_ahead()

    @contextlib.contextmanager
    def _reading_ahead(self) -> Generator[None]:
        with contextlib.ExitStack() as stack:
            for part in self.parts:
                stack.enter_context(part.reading_ahead())
            yield

    def tokens(self, start: int, stop: int) -> np.ndarray:
        if not 0 <= start <= stop <= len(self):
            raise IndexError(f"tokens {start} to {stop} are not inside 0 to {len(self)}")
        return self.take(np.arange(start, stop))

    def take(self, positions: np.ndarray) -> np.ndarray:
        if positions.size and not (positions.min() >= 0 and positions.max() < len(self)):
            raise IndexError(f"positions {positions.min()} to {positions.max()} are not inside 0 to {len(self)}")
        index = np.searchsorted(self._begins, positions, side="right") - 1
        taken = np.empty(positions.shape, np.int64)
        for part in np.unique(index):
            here = index == part
            taken[here] = self.parts[part].take(positions[here] - self._begins[part])
        return taken
