"""Streams: packed tokens as chunks, for training with carried state and for evaluation.

Training reads ``batch`` lanes: the documents of an epoch, in an order drawn from (seed, epoch), are one row that is cut
into equal contiguous lanes; step i gives each lane's next ``chunk`` tokens. State is carried from step to step of one
epoch. Of text that is packed while it is read, an epoch is a block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wetware.data.files import DataError
from wetware.data.packing import Packed

if TYPE_CHECKING:
    from torch import Tensor


# Whole documents, one after the other, int64 [N] -> bool [N]: which of their tokens count as targets, each by what stands
# before it in its document. A boundary never counts. None in the place of a rule counts every token.
Rule = Callable[[np.ndarray], np.ndarray]
STRETCH = 2**20  # tokens to which a rule is applied at once; a longer document is one stretch


class Chunk(NamedTuple):
    """What one step of training reads."""

    inputs: Tensor  # int64 [batch, chunk]
    targets: Tensor  # int64 [batch, chunk], the inputs one token later
    fresh: bool  # the lanes start over: drop the state
    epoch: int
    counted: Tensor | None = None  # bool [batch, chunk]: which targets count; None: all


class HeldOut(NamedTuple):
    """What one step of evaluation reads."""

    inputs: Tensor  # int64 [rows, chunk]
    targets: Tensor  # int64 [rows, chunk]
    counted: Tensor  # bool [rows, chunk], False where the document has ended
    fresh: bool  # other documents begin: drop the state
    scored: Tensor  # bool [rows, chunk]: which of the counted a rule counts


class Stream:
    """Chunks of ``packed`` for training; :meth:`at` is a pure function of the step, so a step number resumes exactly.

    Of each epoch the remainder is left out: what does not fill a lane of whole chunks and one last target. A ``rule`` says
    which targets count; it is applied to whole documents, so that a chunk may begin anywhere in one.
    """

    def __init__(self, packed: Packed, batch: int, chunk: int, seed: int = 0, rule: Rule | None = None) -> None:
        """Raises :class:`DataError` when the corpus is too small for one chunk in every lane."""
        for name, value in (("batch", batch), ("chunk", chunk)):
            if value < 1:
                raise DataError(f"{name} = {value}: allowed 1 or more")
        if seed < 0:
            raise DataError(f"seed = {seed}: allowed 0 or more")
        self.packed, self.batch, self.chunk, self.seed, self.rule = packed, batch, chunk, seed, rule
        self._lane = packed.epoch_tokens // batch
        self.steps_per_epoch = (self._lane - 1) // chunk
        if self.steps_per_epoch < 1:
            raise DataError(_too_small(packed.epoch_tokens, batch, chunk))
        self._order: _Order | None = None
        self._counting: _Counting | None = None

    @property
    def tokens_per_step(self) -> int:
        """Targets in one chunk."""
        return self.batch * self.chunk

    def at(self, step: int) -> Chunk:
        """The chunk of a step, counted from 0 through all epochs."""
        if step < 0:
            raise DataError(f"step = {step}: allowed 0 or more")
        epoch, index = divmod(step, self.steps_per_epoch)
        if self._order is None or self._order.epoch != epoch:
            self._order = self._shuffled(epoch)
        lanes = np.arange(self.batch)[:, None] * self._lane
        row = lanes + index * self.chunk + np.arange(self.chunk + 1)
        positions = self._order.positions(row)
        tokens = self._order.packed.take(positions)
        counted = self._counted(self._order.packed, positions[:, 1:])
        return Chunk(_tensor(tokens[:, :-1]), _tensor(tokens[:, 1:]), index == 0, epoch, counted)

    def _counted(self, packed: Packed, positions: np.ndarray) -> Tensor | None:
        if self.rule is None:
            return None
        if self._counting is None or self._counting.packed is not packed:
            self._counting = _Counting(packed, self.rule)
        return _tensor(self._counting.take(positions))

    def _shuffled(self, epoch: int) -> _Order:
        packed = self.packed.epoch(epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(packed.documents)
        return _Order(epoch, packed, np.cumsum(packed.lengths[order]), packed.starts[order])


class _Order(NamedTuple):
    """The documents of an epoch in one row: their ``ends`` in it, their ``starts`` when packed; int64 [documents]."""

    epoch: int
    packed: Packed
    ends: np.ndarray
    starts: np.ndarray

    def positions(self, row: np.ndarray) -> np.ndarray:
        """Where in the packed tokens the positions ``row`` of this epoch are found."""
        document = np.searchsorted(self.ends, row, side="right")
        begin = np.where(document == 0, 0, self.ends[document - 1])
        return row - begin + self.starts[document]


class _Counting:
    """Which tokens of a packed text count, a bit for each."""

    def __init__(self, packed: Packed, rule: Rule) -> None:
        self.packed = packed
        flags = np.concatenate([rule(tokens) for tokens in _stretches(packed)])
        self._bits = np.packbits(flags, bitorder="little")  # kept while it is trained on

    def take(self, positions: np.ndarray) -> np.ndarray:
        """bool of the shape of ``positions``."""
        return (self._bits[positions >> 3] >> (positions & 7).astype(np.uint8) & 1).astype(bool)


def _stretches(packed: Packed) -> Iterator[np.ndarray]:
    """The text, cut between documents into pieces of about ``STRETCH`` tokens."""
    ends = packed.starts + packed.lengths
    start = 0
    while start < len(packed):
        last = min(int(np.searchsorted(ends, start + STRETCH)), len(ends) - 1)
        yield packed.tokens(start, int(ends[last]))
        start = int(ends[last])


def counts_any(packed: Packed, rule: Rule) -> bool:
    """Whether a rule counts any token of a text."""
    return any(rule(tokens).any() for tokens in _stretches(packed))


def held_out_rows(
    packed: Packed,
    chunk: int,
    rows: int,
    limit_tokens: int | None = None,
    *,
    whole: bool = False,
    rule: Rule | None = None,
) -> Iterator[HeldOut]:
    """Whole documents, up to ``rows`` side by side, from their boundary token on, in successive chunks.

    Every token but the boundaries is counted exactly once, after all of its document before it. Documents of like
    length go together, so that there is little padding. With ``limit_tokens``, about that many are counted, always the
    same ones: each document is cut to an equal head; where heads would be shorter than a chunk, they are one chunk long
    and taken of evenly spaced documents instead. With ``whole`` no document is cut, for what matters may stand at its end:
    evenly spaced ones are taken, all of each. A ``rule`` says which of the counted are scored.
    """
    for name, value in (("chunk", chunk), ("rows", rows), ("limit_tokens", limit_tokens)):
        if value is not None and value < 1:
            raise DataError(f"{name} = {value}: allowed 1 or more")
    return _walk(packed, chunk, rows, limit_tokens, whole, rule)


def _walk(
    packed: Packed, chunk: int, rows: int, limit_tokens: int | None, whole: bool, rule: Rule | None
) -> Iterator[HeldOut]:
    documents, counts = _heads(packed.lengths - 1, chunk, limit_tokens, whole)
    by_length = np.argsort(counts, kind="stable")
    starts = packed.starts[documents]
    for group in np.array_split(by_length, range(rows, len(by_length), rows)):
        flags = [rule(packed.tokens(int(starts[i]), int(starts[i] + counts[i] + 1)))[1:] for i in group] if rule else []
        for done in range(0, int(counts[group].max()), chunk):
            tokens = np.zeros((len(group), chunk + 1), np.int64)
            for row, index in enumerate(group):
                begin, end = starts[index] + done, starts[index] + min(done + chunk, counts[index]) + 1
                if begin < end:
                    tokens[row, : end - begin] = packed.tokens(int(begin), int(end))
            counted = done + np.arange(chunk) < counts[group][:, None]
            inputs, targets = np.where(counted, tokens[:, :-1], 0), np.where(counted, tokens[:, 1:], 0)
            scored = counted.copy()
            for row, flag in enumerate(flags):
                here = flag[done : done + chunk]
                scored[row, : len(here)] &= here
            yield HeldOut(_tensor(inputs), _tensor(targets), _tensor(counted), done == 0, _tensor(scored))


def _heads(counts: np.ndarray, chunk: int, limit: int | None, whole: bool) -> tuple[np.ndarray, np.ndarray]:
    """Which documents are walked, and how many targets of each; ``counts`` are all their targets, int64 [documents]."""
    every = np.arange(len(counts))
    if limit is None or limit >= counts.sum():
        return every, counts
    if whole:
        return _spaced(counts, limit)
    # The longest head whose sum over all documents stays within the limit: the sum grows with the head, so bisect.
    low, high = 0, int(counts.max())
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(counts, middle).sum() <= limit else (low, middle - 1)
    if low >= chunk:
        return every, np.minimum(counts, low)
    return _spaced(np.minimum(counts, chunk), limit)


def _spaced(heads: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """So many evenly spaced documents that their heads are about ``limit`` targets."""
    number = min(len(heads), max(1, round(limit / heads.mean())))
    spaced = np.arange(number) * len(heads) // number
    return spaced, heads[spaced]


def _tensor(array: np.ndarray) -> Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(array))


def _too_small(tokens: int, batch: int, chunk: int) -> str:
    """What is wrong, and what to lower it to."""
    need = batch * (chunk + 1)
    remedies = []
    if tokens // batch > 1:
        remedies.append(f"chunk to at most {tokens // batch - 1}")
    if tokens // (chunk + 1) > 0:
        remedies.append(f"batch to at most {tokens // (chunk + 1)}")
    remedy = f"lower {' or '.join(remedies)}" if remedies else "lower both"
    return f"{tokens} tokens are too few for batch = {batch} lanes of chunk = {chunk}, which need {need}: {remedy}"
