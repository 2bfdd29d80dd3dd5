"""Arguments on which every backend of ``latch_scan`` is held against the reference."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from wetware.kernels.op import Case

USUAL = (1.0, 0.6, 0.5, 0.3, 0.3, 0.05)


def cases() -> Iterator[Case]:
    """Odd sizes, bursts of calcium and silence, states in between; boundaries present and absent, at a first token too."""
    for batch, steps, heads, keep in ((1, 1, 1, False), (2, 7, 3, True), (3, 33, 2, False), (2, 90, 5, True)):
        generator = torch.Generator().manual_seed(steps)

        def draw(*shape: int, generator: torch.Generator = generator) -> Tensor:
            return torch.rand(*shape, generator=generator, dtype=torch.float64)

        kinetics = torch.tensor(USUAL, dtype=torch.float64)[:, None] * (0.8 + 0.4 * draw(6, heads))
        rise = draw(batch, steps, heads) * (draw(batch, steps, heads) > 0.7)
        fall = draw(batch, steps, heads) * (draw(batch, steps, heads) > 0.7)
        kept = None
        if keep:
            kept = (draw(batch, steps) > 0.1).double()
            kept[0, 0] = 0.0
            kept[-1] = 1.0
        yield Case(f"{batch}x{steps}x{heads}", (rise, fall, draw(batch, 2, heads), kinetics, kept), {})
