"""Causal self-attention with a cache that grows without being copied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from wetware.config import Config, number
from wetware.kernels import attention, rms_norm
from wetware.layers.linear import Linear
from wetware.layers.rope import rotate
from wetware.modulation import NEUTRAL, Signals
from wetware.operations import Counted, Operation, Workload


class KV(NamedTuple):
    """Keys (rotated) and values of the positions still in reach, in segments [B, S, H, D], oldest first."""

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]


class Span(NamedTuple):
    """Where a chunk stands: absolute ``positions`` [B, T] and, for each token, the oldest position it may see [B, T].
    ``before`` is how many tokens came before the chunk, ``tokens`` [B, T] what it says, ``signals`` what the caller tells the
    whole network meanwhile."""

    positions: Tensor
    oldest: Tensor
    before: int
    tokens: Tensor | None = None
    signals: Signals = NEUTRAL

    @property
    def keep(self) -> Tensor:
        """[B, T]: False at tokens that start a document, the first of all included."""
        return self.oldest < self.positions


class Seen(NamedTuple):
    """What a chunk of Q queries looks at: query [B, Q, H, D], keys and values in segments [B, S, H, D] (the last is the chunk's
    own), ``first`` [B, Q], the oldest of the K keys that each query sees; ``left``: the cache after the chunk, which lacks the
    ``dropped`` oldest of the K keys; ``content``: query and key [B, Q, H, D] as they are before they are rotated."""

    query: Tensor
    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    first: Tensor
    left: KV
    dropped: int
    content: tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class SelfAttention(Config):
    """Multi-head causal attention with RoPE and normalised queries and keys (Henry et al., QK norm, 2020).

    ``window`` limits how far back a token sees, itself included, and with it the cache; None means everything.
    ``base`` is RoPE's longest wavelength divided by 2 pi, in tokens.
    """

    heads: int = number(4, 1, 1024)
    window: int | None = number(None, 1)
    base: float = number(10_000.0, 1.0, 1e9, open_ends=True)

    def build(self, *, width: int, depth: int) -> Attention:
        return Attention(self, width, depth)

    def page(self) -> int | None:
        """The largest segment of the cache: unbounded without a window, else so small that what is out of reach goes."""
        return None if self.window is None else max(1, self.window // 4)


def segments(length: int, page: int | None) -> Iterator[tuple[int, int]]:
    """The (start, end) of the segments that hold ``length`` positions: full pages, then falling powers of two.

    This is a binary counter: appending one position joins only the trailing segments of equal size, so that a position is
    copied log2(length) times in all, and the segments depend on ``length`` alone, whatever chunks it came in.
    """
    start = 0
    largest = length if page is None else 1 << (page.bit_length() - 1)
    while start < length:
        end = start + min(largest, 1 << ((length - start).bit_length() - 1))
        yield start, end
        start = end


class Attention(nn.Module, Counted):
    """See :class:`SelfAttention`."""

    def __init__(self, config: SelfAttention, width: int, depth: int) -> None:
        super().__init__()
        self.config = config
        self.query, self.key, self.value = (Linear(width, width) for _ in range(3))
        self.out = Linear(width, width, scale=(2 * depth) ** -0.5)

    def reach(self, length: int) -> list[tuple[int, int]]:
        """The segments of the cache after ``length`` tokens that a later token can still see."""
        oldest = 0 if self.config.window is None else length - self.config.window + 1
        return [(start, end) for start, end in segments(length, self.config.page()) if end > oldest]

    def operations(self, work: Workload) -> Iterator[Operation]:
        """Four projections, and scores and mixture over the positions in reach."""
        width = len(self.out.weight)
        for name in ("query", "key", "value", "out"):
            yield Operation(name, width, width, weights=(getattr(self, name).weight,))
        seen = min(work.context, self.config.window or work.context)
        yield Operation("scores", width, seen)
        yield Operation("mixture", seen, width)

    def look(self, x: Tensor, state: KV, span: Span) -> Seen:
        """Queries, keys and values of ``x`` [B, T, width], put beside what the cache holds."""
        batch, steps, width = x.shape
        shape = (batch, steps, self.config.heads, width // self.config.heads)
        query, key, value = (project(x).view(shape) for project in (self.query, self.key, self.value))
        content = (rms_norm(query), rms_norm(key))
        query, key = (rotate(part, span.positions, self.config.base) for part in content)
        kept = self.reach(span.before)
        start = kept[0][0] if kept else span.before
        oldest = span.oldest
        if self.config.window is not None:
            oldest = torch.maximum(oldest, span.positions - self.config.window + 1)
        keys, values = (*state.keys, key), (*state.values, value)
        length = span.before + steps
        spans, wanted = [*kept, (span.before, length)], self.reach(length)
        left = KV(*(tuple(_gather(parts, spans, *want) for want in wanted) for parts in (keys, values)))
        dropped = (wanted[0][0] if wanted else length) - start
        return Seen(query, keys, values, (oldest - start).clamp_min(0), left, dropped, content)

    def forward(self, x: Tensor, state: KV, span: Span) -> tuple[Tensor, KV]:
        seen = self.look(x, state, span)
        mixed = attention(seen.query, seen.keys, seen.values, seen.first)
        return self.out(mixed.flatten(2)), seen.left


def _gather(parts: tuple[Tensor, ...], spans: list[tuple[int, int]], start: int, end: int) -> Tensor:
    """The positions [start, end) out of ``parts``, which hold ``spans``; a part that is wanted whole is handed on as it is."""
    pieces = []
    for part, (low, high) in zip(parts, spans, strict=True):
        if low < end and high > start:
            whole = start <= low and high <= end
            cut = part[:, max(start, low) - low : min(end, high) - low]
            # A copy, not a view: that would keep all of a long prompt alive for the few positions still in reach.
            pieces.append(part if whole else cut.clone(memory_format=torch.contiguous_format))
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces, 1)
