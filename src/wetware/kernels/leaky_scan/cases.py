"""Arguments on which every backend of ``leaky_scan`` is held against the reference."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from wetware.kernels.op import Case


def cases() -> Iterator[Case]:
    """Odd sizes; a share of 0 in places, at a first token too."""
    for batch, steps, heads, size, resets in (
        (1, 1, 1, 1, False),
        (2, 7, 3, 1, True),
        (3, 33, 2, 5, False),
        (2, 64, 5, 17, True),
    ):
        generator = torch.Generator().manual_seed(10 * steps + size)
        drive = torch.randn(batch, steps, heads, size, generator=generator, dtype=torch.float64)
        share = torch.rand(batch, steps, heads, generator=generator, dtype=torch.float64)
        if resets:
            share = share * (share > 0.2)
            share[0, 0] = 0.0
        state = torch.randn(batch, heads, size, generator=generator, dtype=torch.float64)
        yield Case(f"{batch}x{steps}x{heads}x{size}", (drive, share, state), {})
