"""How a length-max vocabulary is found: grown by what it saves, then pruned by what would be missed.

The aim is the fewest tokens for a text, which is the longest average token: maximise sum over pieces of uses * length
(Length-MAX, 2025, arXiv 2511.20849). Choosing the best vocabulary is NP-hard, so:

1. *grow* from the 256 bytes in rounds. The text is cut by the greedy matcher with the pieces there are; a candidate is what
   two or three neighbouring tokens spell, and its gain the tokens saved, ``occurrences * (tokens - 1)``. A round takes the
   best few and counts anew, because picks that overlap take occurrences from each other;
2. *prune* what was grown beyond the size: a piece that is taken out costs ``uses * (tokens it would be cut into - 1)``;
   the cheapest go, a third of the excess at a time, since those left take over the uses of those gone;
3. *exchange*: grow a twentieth more and prune it again, which also fills the places of pieces nobody uses any more.

A candidate must occur in several stretches of the text (documents, or parts of long ones), so that one speaker's phrase
is not learned by heart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from wetware.data.longest_match import matcher
from wetware.data.tokenizers import SINGLE_BYTES, Tell, utf8

STRETCH = 2**16  # bytes of a long document that count as a document of their own
SHARE = 8  # no document gives more than one in so many bytes of the sample
COUNTED = 1_000_000  # tokens that a round counts; of a longer sample it reads every so many-th stretch
SURPLUS = 0.3  # grown beyond the size before pruning
EXCHANGED, EXCHANGES = 0.1, 2
PICKS, PICKED_SHARE = 1024, 0.1  # a round picks at most so many, and so much of what there is
PARTS = (2, 3)  # tokens that a candidate is made of

SPACE = re.compile(rb"[ \t\r\n]+")
LETTER = re.compile(rb"[A-Za-z\x80-\xff]")
LONG_NUMBER = re.compile(rb"[0-9]{4}")


class Sample(NamedTuple):
    """The stretches of text that a vocabulary is made from. ends: int64, where each ends in ``joined``."""

    joined: bytes
    ends: np.ndarray

    @classmethod
    def of(cls, documents: Iterable[str], limit: int) -> Sample:
        """At most ``limit`` bytes, at most an eighth of them from one document."""
        stretches: list[bytes] = []
        left = limit
        for text in documents:
            part = utf8(text[:limit])[: min(left, -(-limit // SHARE))]
            stretches += [part[start : start + STRETCH] for start in range(0, len(part), STRETCH)]
            left -= len(part)
            if left <= 0:
                break
        return cls(b"".join(stretches), np.array(list(accumulate(map(len, stretches))), np.int64))

    def every(self, step: int, first: int) -> Sample:
        """Every ``step``-th stretch."""
        if step == 1:
            return self
        starts = np.concatenate([[0], self.ends[:-1]])
        chosen = range(first % step, len(self.ends), step)
        parts = [self.joined[starts[index] : self.ends[index]] for index in chosen]
        return Sample(b"".join(parts), np.array(list(accumulate(map(len, parts))), np.int64))


def allowed(piece: bytes, longest: int) -> bool:
    """Whether bytes may be a piece: no longer than ``longest``, and either white space alone, or without a line end, with at
    most one space before and none behind, and not letters together with four digits or more."""
    if len(piece) > longest:
        return False
    if SPACE.fullmatch(piece):
        return True
    if b"\n" in piece or b"\r" in piece or piece.startswith(b"  ") or piece.endswith(b" "):
        return False
    return not (LONG_NUMBER.search(piece) and LETTER.search(piece))


def find_pieces(sample: Sample, count: int, longest: int, documents: int, tell: Tell) -> list[bytes]:
    """At most ``count`` pieces, the 256 bytes first; then those of most use first."""
    documents = max(1, min(documents, len(sample.ends)))
    grower = _Grower(sample, longest, documents, tell)
    pieces = prune(sample, grower.grow([*SINGLE_BYTES], count + int(SURPLUS * (count - 256))), count)
    for _ in range(EXCHANGES):
        pieces = prune(sample, grower.grow(pieces, count + int(EXCHANGED * (count - 256))), count)
    uses = _uses(sample, pieces)
    order = sorted(range(256, len(pieces)), key=lambda index: (-uses[index] * len(pieces[index]), pieces[index]))
    return [*SINGLE_BYTES, *(pieces[index] for index in order)]


class _Grower:
    def __init__(self, sample: Sample, longest: int, documents: int, tell: Tell) -> None:
        self.sample, self.longest, self.documents, self.tell = sample, longest, documents, tell
        self.rounds, self.tokens = 0, len(sample.joined)

    def grow(self, pieces: list[bytes], target: int) -> list[bytes]:
        """``pieces`` and as many more as reach ``target``; fewer when nothing more repeats."""
        pieces, known = list(pieces), set(pieces)
        while len(pieces) < target:
            want = min(target - len(pieces), PICKS, max(64, int(PICKED_SHARE * len(pieces))))
            new = self._best(pieces, known, want)
            if not new:
                break
            pieces += new
            known.update(new)
            self.tell(f"{len(pieces):,} pieces, {len(self.sample.joined) / self.tokens:.3f} bytes per token")
        return pieces

    def _best(self, pieces: list[bytes], known: set[bytes], want: int) -> list[bytes]:
        step = max(1, min(-(-self.tokens // COUNTED), len(self.sample.ends) // self.documents))
        part = self.sample.every(step, self.rounds)
        self.rounds += 1
        tokens, counts = _cut(part, pieces)
        self.tokens = int(len(tokens) * len(self.sample.joined) / max(1, len(part.joined)))
        stretches = np.repeat(np.arange(len(counts)), counts)
        gains: dict[bytes, int] = {}
        for parts in PARTS:
            for gain, *spelled in _repeated(
                tokens.astype(np.int64), stretches, len(pieces), parts, self.documents, 16 * want
            ):
                piece = b"".join(pieces[token] for token in spelled)
                gains[piece] = gains.get(piece, 0) + gain
        ranked = sorted(gains, key=lambda piece: (-gains[piece], piece))
        fitting = (piece for piece in ranked if piece not in known and allowed(piece, self.longest))
        return [piece for piece, _ in zip(fitting, range(want), strict=False)]


def _repeated(
    tokens: np.ndarray, stretches: np.ndarray, base: int, parts: int, documents: int, top: int
) -> list[list[int]]:
    """``[gain, token, ...]`` of the ``top`` runs of ``parts`` tokens that save most and are in ``documents`` stretches.

    A run is one number in base ``base``, with the stretch in the bits below (as many as fit): sorted, equal runs lie
    together, and in them the stretches.
    """
    last = len(tokens) - parts + 1
    if last < 1:
        return []
    key = tokens[:last].copy()
    for part in range(1, parts):
        key *= base
        key += tokens[part : last + part]
    bits = min(int(stretches[-1]).bit_length(), 63 - int(base**parts - 1).bit_length())
    inside = stretches[:last] == stretches[parts - 1 :]
    key = (key << bits) | (stretches[:last] & ((1 << bits) - 1))
    key = np.sort(key[inside])
    if not len(key):
        return []
    other_stretch = np.concatenate([[True], key[1:] != key[:-1]])
    runs = key >> bits
    starts = np.flatnonzero(np.concatenate([[True], runs[1:] != runs[:-1]]))
    occurrences = np.diff(np.append(starts, len(runs)))
    spread = np.add.reduceat(other_stretch, starts, dtype=np.int64)
    best = np.flatnonzero((occurrences > 1) & (spread >= min(documents, 1 << bits)))
    gain = occurrences[best] * (parts - 1)
    if len(best) > top:
        enough = (
            gain >= np.partition(gain, len(gain) - top)[len(gain) - top]
        )  # all ties: no matter how sorting orders them
        best, gain = best[enough], gain[enough]
    spelled, rest = [], runs[starts[best]]
    for _ in range(parts):
        rest, token = np.divmod(rest, base)
        spelled.append(token.tolist())
    return [list(row) for row in zip(gain.tolist(), *reversed(spelled), strict=True)]


def prune(sample: Sample, pieces: list[bytes], count: int) -> list[bytes]:
    """``pieces`` without those that would be missed least, until there are ``count``; the 256 bytes stay."""
    while len(pieces) > count:
        excess = len(pieces) - count
        cost = _uses(sample, pieces) * (_without(pieces) - 1)
        order = sorted(range(256, len(pieces)), key=lambda index: (cost[index], -index))
        gone = set(order[: min(excess, max(64, excess // 3))])
        pieces = [piece for index, piece in enumerate(pieces) if index not in gone]
    return pieces


def _cut(sample: Sample, pieces: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    return matcher({piece: index for index, piece in enumerate(pieces)}).cut(sample.joined, sample.ends)


def _uses(sample: Sample, pieces: list[bytes]) -> np.ndarray:
    return np.bincount(_cut(sample, pieces)[0], minlength=len(pieces))


def _without(pieces: list[bytes]) -> np.ndarray:
    """int64: the tokens that each piece would be cut into if it were none: the longest other one that it begins with, and then
    what the matcher makes of the rest, which is too short to hold the piece. 1 for a single byte."""
    match = matcher({piece: index for index, piece in enumerate(pieces)})

    def cut(parts: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
        return match.cut(b"".join(parts), np.cumsum([len(part) for part in parts], dtype=np.int64))

    tokens, counts = cut([piece[:-1] for piece in pieces])
    first = np.cumsum(counts) - counts
    lengths = [
        len(pieces[tokens[start]]) if count else len(piece)
        for piece, start, count in zip(pieces, first, counts, strict=True)
    ]
    return 1 + cut([piece[length:] for piece, length in zip(pieces, lengths, strict=True)])[1]
