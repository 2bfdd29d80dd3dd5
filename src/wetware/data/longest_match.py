"""Greedy longest match: bytes cut from left to right, at each place into the longest piece that fits.

With numba (the extra ``fast``) a whole batch is one compiled walk over a trie; without it, Python looks slices up in a
dictionary. Both give the same tokens.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

SLACK = 1.5
"""Slots of a trie for each byte of its pieces, at first; doubled when they do not suffice, and what is left over is let go."""


class Table:
    """The matcher in plain Python: the longest slice that is a key of a dictionary."""

    def __init__(self, tokens: Mapping[bytes, int]) -> None:
        self._tokens = dict(tokens)
        lengths: dict[int, set[int]] = {}
        for piece in tokens:
            lengths.setdefault(piece[0], set()).add(len(piece))
        self._lengths = {byte: sorted(found, reverse=True) for byte, found in lengths.items()}

    def cut(self, joined: bytes, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`Trie.cut`."""
        out: list[int] = []
        counts, place, find = np.zeros(len(ends), np.int64), 0, self._tokens.get
        for index, end in enumerate(ends.tolist()):
            before = len(out)
            while place < end:
                for length in self._lengths[joined[place]]:
                    token = find(joined[place : place + length]) if place + length <= end else None
                    if token is not None:
                        out.append(token)
                        place += length
                        break
            counts[index] = len(out) - before
        return np.array(out, np.int32), counts


class Trie:
    """The compiled matcher (see :mod:`wetware.data.longest_match_loops`)."""

    def __init__(self, tokens: Mapping[bytes, int]) -> None:
        from wetware.data import longest_match_loops

        self._loops = longest_match_loops
        pieces = sorted(tokens)
        flat = np.frombuffer(b"".join(pieces), np.uint8)
        ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
        ids = np.array([tokens[piece] for piece in pieces], np.int32)
        size, used = 512 + _blocks(int(SLACK * flat.size)), -1
        while used < 0:
            slots, marks = np.empty(size, np.int64), np.empty(size, np.int32)
            used = self._loops.fill(flat, ends, ids, slots, marks)
            size *= 2
        self._slots, self._marks = slots[: _blocks(used)].copy(), marks[: _blocks(used)].copy()

    def cut(self, joined: bytes, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``(tokens, counts)``: int32, the tokens of all texts, and int64, how many each has.

        joined: the texts, one after the other. ends: int64, where each ends in it; no piece reaches over an end.
        """
        out, counts = np.empty(len(joined), np.int32), np.empty(len(ends), np.int64)
        data = np.frombuffer(joined, np.uint8)
        total = self._loops.cut(data, ends, self._slots, self._marks, out, counts)
        return out[:total].copy(), counts


def matcher(tokens: Mapping[bytes, int]) -> Trie | Table:
    """The fastest matcher there is here. ``tokens``: piece -> token; every single byte must be among the pieces."""
    from wetware.kernels.compiled import why_not  # imports torch, which nothing else here needs

    return Trie(tokens) if why_not() is None else Table(tokens)


def _blocks(size: int) -> int:
    """``size`` rounded up to whole blocks of 256 slots."""
    return -(-size // 256) * 256
