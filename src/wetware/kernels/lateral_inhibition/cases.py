"""Arguments on which every backend of ``lateral_inhibition`` is held against the reference."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from wetware.kernels.op import Case


def cases() -> Iterator[Case]:
    """Odd sizes; causal rows with zeros at their end and rows without; windows short, long, and longer than a row; fewer
    queries than keys; first keys hidden, as in a padded text."""
    for batch, heads, queries, keys, window, scale, hidden in (
        (1, 1, 1, 1, 1, 1.0, 0),
        (2, 3, 41, 41, 2, 1.0, 0),
        (3, 5, 7, 97, 1, 3.0, 5),
        (2, 2, 150, 150, 2, 6.0, 3),
        (2, 1, 65, 193, 5, 1.0, 0),
        (3, 2, 77, 77, 33, 2.0, 0),
        (1, 3, 130, 131, 1024, 1.0, 0),
        (2, 4100, 1, 1, 3, 1.0, 0),
    ):
        generator = torch.Generator().manual_seed(queries + 1000 * window)
        scores = scale * torch.randn(batch, heads, queries, keys, generator=generator, dtype=torch.float64)
        seen = torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)
        seen[:, :hidden] &= torch.arange(queries)[:, None] < hidden
        strength = torch.rand(heads, generator=generator, dtype=torch.float64) * 1.9 - 0.95
        shares = scores.masked_fill(~seen, -torch.inf).softmax(-1)
        yield Case(f"{batch}x{heads}x{queries}x{keys}-window-{window}", (shares, strength), {"window": window})
