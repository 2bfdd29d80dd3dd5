"""Arguments on which every backend of ``attention`` is held against the reference."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from wetware.kernels.op import Case


def cases() -> Iterator[Case]:
    """One segment and several; a window, a document that starts within the chunk."""
    for batch, segments, queries, heads, size in ((1, (1,), 1, 1, 2), (3, (7,), 7, 2, 4), (2, (8, 4, 1, 5), 5, 3, 8)):
        generator = torch.Generator().manual_seed(queries)
        draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: B023, E731
        keys, values = (tuple(draw(batch, length, heads, size) for length in segments) for _ in range(2))
        oldest = torch.arange(sum(segments) - queries, sum(segments)).expand(batch, -1)
        for name, first in (("all", torch.zeros_like(oldest)), ("window", (oldest - 3).clamp_min(0))):
            yield Case(f"{batch}x{queries}-{name}", (draw(batch, queries, heads, size), keys, values, first), {})
