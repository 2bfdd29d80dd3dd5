"""Arguments on which every backend of ``inhibited_softmax`` is held against the reference."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from wetware.kernels.op import Case


def cases() -> Iterator[Case]:
    """Odd sizes; with and without distance and inhibition; fewer queries than keys; first keys out of sight; windows short
    and longer than a row."""
    for batch, heads, queries, keys, window, slope, inhibition, hidden in (
        (1, 1, 1, 1, 1, True, True, 0),
        (2, 3, 41, 41, 2, True, True, 0),
        (3, 5, 7, 97, 1, False, True, 5),
        (2, 2, 150, 150, 2, True, False, 30),
        (2, 2, 67, 131, 3, True, True, 70),
        (1, 3, 130, 131, 1024, False, False, 0),
    ):
        generator = torch.Generator().manual_seed(queries + 1000 * window)
        scores = 3 * torch.randn(batch, heads, queries, keys, generator=generator, dtype=torch.float64)
        first = torch.zeros(batch, queries, dtype=torch.long)
        first[-1] = torch.arange(keys - queries, keys).clamp_max(hidden)
        learned = [2 * torch.rand(heads, generator=generator, dtype=torch.float64) - 1 for _ in range(2)]
        given = [part if there else None for part, there in zip(learned, (slope, inhibition), strict=True)]
        yield Case(f"{batch}x{heads}x{queries}x{keys}-window-{window}", (scores, first, *given), {"window": window})
