"""Arguments on which every backend of ``vesicle_scan`` is held against the reference."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from wetware.kernels.op import Case
from wetware.kernels.vesicle_scan.reference import reference, rest

#          theta rho kon koff k1 k2 k3 kappa eta k rs cs x0 rx cx re ce lam eps
USUAL = (3.5, 0.72, 0.3, 0.1, 0.8, 0.4, 0.8, 1.6, 0.05, 0.03, 0.05, 0.3, 0.5, 0.15, 0.3, 0.02, 0.1, 1.0, 0.1)


def cases() -> Iterator[Case]:
    """Odd sizes, longer than a block of keys; nothing before and a state of earlier queries; documents that start, a window."""
    for batch, heads, queries, before, delay, window in (
        (1, 1, 1, 0, 4, None),
        (2, 3, 7, 0, 4, None),
        (2, 2, 1, 37, 4, None),
        (3, 2, 21, 14, 3, 9),
        (2, 3, 75, 0, 4, None),
        (1, 2, 40, 33, 5, 24),
    ):
        generator = torch.Generator().manual_seed(queries + before)

        def draw(*shape: int, generator: torch.Generator = generator) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        kinetics = torch.tensor(USUAL, dtype=torch.float64)[:, None] * (1 + 0.1 * torch.tanh(draw(19, heads)))
        keys = before + queries
        scores = 2.0 * draw(batch, heads, queries, keys)
        position = torch.arange(before, keys).expand(batch, -1)
        first = torch.zeros_like(position)
        if queries > 2:
            first[-1] = torch.where(position[-1] >= before + queries // 2, before + queries // 2, 0)
        if window is not None:
            first = torch.maximum(first, position - window + 1)
        state = rest(kinetics, batch, 0, delay)
        if before:
            earlier = 2.0 * draw(batch, heads, before, before)
            _, state = reference(earlier, state, kinetics, torch.zeros(batch, before, dtype=torch.long), time=0)
        yield Case(f"{batch}x{heads}x{queries}+{before}-{delay}", (scores, state, kinetics, first), {"time": before})
