"""Arguments on which every backend of ``kuramoto_scan`` is held against the reference."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from wetware.kernels.op import Case


def cases() -> Iterator[Case]:
    """Odd sizes, other dimensions than 4; boundaries present and absent, at a first token too."""
    for batch, steps, dimension, count, rank, step, keep in (
        (1, 1, 2, 1, 1, 1.0, False),
        (3, 7, 4, 5, 3, 0.2, True),
        (2, 33, 3, 17, 2, 0.5, False),
        (5, 19, 4, 32, 8, 0.1, True),
        (3, 64, 6, 9, 5, 0.3, True),
    ):
        generator = torch.Generator().manual_seed(100 * steps + count)

        def draw(*shape: int, generator: torch.Generator = generator) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        half, size = draw(dimension, dimension, count), dimension * count
        state, start = (
            x / x.norm(dim=-2, keepdim=True) for x in (draw(batch, dimension, count), draw(dimension, count))
        )
        left, right = (draw(size, rank) / size**0.5 for _ in range(2))
        kept = None
        if keep:
            kept = (draw(batch, steps) > -1.2).double()
            kept[0, 0] = 0.0
            kept[-1] = 1.0
        drive, omega = draw(batch, steps, dimension, count), half - half.transpose(0, 1)
        arguments = (drive, state, start, omega, left, right, draw(1), kept)
        yield Case(f"{batch}x{steps}x{dimension}x{count}-rank-{rank}", arguments, {"step": step})
