"""Arguments on which every backend of ``lateral_inhibition`` is held against the reference."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from wetware.kernels.op import Case


def cases() -> Iterator[Case]:
    """Odd sizes, windows wider than the row; shares of 0, as those of keys that are not seen."""
    for batch, heads, queries, keys, window in (
        (1, 1, 1, 1, 1),
        (2, 3, 7, 7, 2),
        (3, 2, 5, 37, 1),
        (2, 2, 33, 70, 5),
        (1, 2, 3, 4, 9),
    ):
        generator = torch.Generator().manual_seed(keys)
        scores = torch.randn(batch, heads, queries, keys, generator=generator, dtype=torch.float64)
        seen = torch.ones(queries, keys).tril(keys - queries).bool()
        strength = torch.tanh(torch.randn(heads, generator=generator, dtype=torch.float64))
        shares = scores.masked_fill(~seen, -torch.inf).softmax(-1)
        yield Case(f"{batch}x{heads}x{queries}x{keys}-{window}", (shares, strength), {"window": window})
